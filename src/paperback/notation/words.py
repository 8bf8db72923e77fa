"""The words of the notation: functions, reducers, reserved words.

    FUNCTIONS   name -> number of arguments
    REDUCERS    what binds indices: sum(p,q) ...
    RESERVED    what no tensor, index, size or scalar may be called
    GREEK       names that are one letter on paper

`max` and `min` are both: a call compares two values, a reducer goes over indices.
"""

from __future__ import annotations

__all__ = ["FUNCTIONS", "GREEK", "KEYWORDS", "REDUCERS", "RESERVED", "ROUNDINGS", "is_derivative"]

from collections.abc import Collection

FUNCTIONS: dict[str, int] = {
    "exp": 1,
    "log": 1,
    "log1p": 1,
    "expm1": 1,
    "sqrt": 1,
    "sin": 1,
    "cos": 1,
    "tan": 1,
    "tanh": 1,
    "sigmoid": 1,
    "softplus": 1,
    "relu": 1,
    "abs": 1,
    "sign": 1,
    "step": 1,
    "erf": 1,
    "max": 2,
    "min": 2,
}
REDUCERS = ("sum", "max", "min", "argmax", "argmin", "logsumexp")
ROUNDINGS = ("floor", "ceil")
KEYWORDS = ("where", "and", "pads", "int", "scalar", "function", "increasing")
RESERVED = frozenset((*FUNCTIONS, *REDUCERS, *ROUNDINGS, *KEYWORDS))
GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
).split()


def is_derivative(name: str, functions: Collection[str]) -> bool:
    """Is it the name of a derivative of one of these functions: phi' of phi?"""
    return name.endswith("'") and name.rstrip("'") in functions
