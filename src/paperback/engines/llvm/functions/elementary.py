"""The scalar functions of the notation as functions of one vector, in LLVM IR: no libm, any number of lanes.

    definition("tanh", "float", 8)          <8 x float> -> <8 x float>
    power(Fraction(1, 3), "double", 1)      double -> double
"""

from __future__ import annotations

__all__ = ["FUNCTIONS", "Definition", "definition", "power"]

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache

from paperback.engines.llvm.functions import exponential, trigonometry
from paperback.engines.llvm.functions.powers import raised
from paperback.engines.llvm.functions.vectors import Code, Definition, Vector

FUNCTIONS: Mapping[str, Callable[[Vector], Vector]] = {
    "exp": exponential.exp,
    "expm1": exponential.expm1,
    "log": exponential.log,
    "log1p": exponential.log1p,
    "sqrt": Vector.sqrt,
    "sin": trigonometry.sin,
    "cos": trigonometry.cos,
    "tan": trigonometry.tan,
    "tanh": exponential.tanh,
    "sigmoid": exponential.sigmoid,
    "softplus": exponential.softplus,
    "erf": exponential.erf,
}


@lru_cache(maxsize=1024)
def definition(function: str, element: str, lanes: int) -> Definition:
    """A function of the notation on vectors of `lanes` numbers (1: a scalar) of type "float" or "double"."""
    code = Code(function, element, lanes)
    return code.returns(FUNCTIONS[function](code.argument))


@lru_cache(maxsize=1024)
def power(exponent: Fraction, element: str, lanes: int) -> Definition:
    """x to a constant power, as the NumPy engine takes it."""
    sign = "minus" if exponent < 0 else ""
    code = Code(f"power{sign}.{abs(exponent.numerator)}.{exponent.denominator}", element, lanes)
    return code.returns(raised(code.argument, exponent))
