"""Formulas as source text: one plain function in NumPy, PyTorch or JAX that an engineer would paste into a code base.

    tree  ->  array operations with labelled axes  ->  the words of one dialect

`parts` says which functions of which statements; `arrays` walks the tree and decides which array operation computes
what (a read is a slice, a window, a gather; a sum is a matrix product, a masked sum, a scatter); `dialects` spells
these operations; `functions` writes the function around them. Sizes are not known: they are taken from shapes when the
function runs.
"""

from paperback.engines.emit.functions import TARGETS
from paperback.engines.emit.parts import WHAT, source

__all__ = ["TARGETS", "WHAT", "source"]
