"""The command line: `paperback train | evaluate | predict | report | summary | derive | claims`.

NumPy's matrix products get one thread, unless the environment says otherwise: the products of a training step are
small, threads that wait for each other by spinning cost more than they bring where the processor is shared, and the
last bits of a result would depend on their number.
"""

import os
import sys
from types import TracebackType


def quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What is told of an error that nothing catches: of Ctrl-C one word."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("interrupted\n")
    else:
        sys.__excepthook__(kind, error, trace)


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = quietly  # while the commands are loaded; from then on they tell of Ctrl-C themselves

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # read when NumPy is loaded, so this comes before any import of it
