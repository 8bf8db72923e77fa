"""The command line: `paperback train | evaluate | predict | summary | derive`.

NumPy's matrix products get one thread, unless the environment says otherwise: the products of a training step are
small, threads that wait for each other by spinning cost more than they bring where the processor is shared, and the
last bits of a result would depend on their number.
"""

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # read when NumPy is loaded, so this comes before any import of it
