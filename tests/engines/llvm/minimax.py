"""Derives the polynomials of the elementary functions: `python -m tests.engines.llvm.minimax > .../polynomials.py`.

    find c0 ... cn with the least E = max |w(t) (c0 + c1 t + ... + cn t^n - g(t))|      t in [low, high]

by the exchange algorithm of Remez on a fine grid: solve for the polynomial whose weighted error is +-E in turns at
n + 2 points, move the points to the extrema of that error, again until they stay. w makes E the relative error of the
function that g is a part of. n is the least with E under `bound`.
"""

from __future__ import annotations

__all__ = ["ERF_MEETS", "PROBLEMS", "TANH_MEETS", "Problem", "coefficients", "module"]

import functools
import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mpmath import mp

Real = Any


@dataclass(frozen=True)
class Problem:
    """g on [low, high], weighted, to within a bound; `single` rounds the coefficients to float32."""

    g: Callable[[Real], Real]
    weight: Callable[[Real], Real]
    low: float
    high: float
    bound: float
    single: bool = False


def _extrema(errors: list[Real]) -> list[int]:
    """Places of the greatest errors of each sign, in turns."""
    places = [0]
    for i in range(1, len(errors)):
        if (errors[i] > 0) == (errors[places[-1]] > 0):
            if abs(errors[i]) > abs(errors[places[-1]]):
                places[-1] = i
        else:
            places.append(i)
    return places


def _value(falling: Any, t: Any) -> Any:
    """The polynomial with these coefficients, the highest power first (the order of mpmath's `polyval` changes)."""
    return functools.reduce(lambda value, c: value * t + c, falling)


def _fit(problem: Problem, degree: int, grid: list[Real], g: list[Real], w: list[Real]) -> tuple[list[Real], Real]:
    """The polynomial of this degree, and its greatest error."""
    n = degree + 2
    points = [round((len(grid) - 1) * (1 - mp.cos(mp.pi * (2 * i + 1) / (2 * n))) / 2) for i in range(n)]
    solution: list[Real] = []
    worst = mp.inf
    for _ in range(30):
        rows = [[w[p] * grid[p] ** j for j in range(degree + 1)] + [(-1) ** i] for i, p in enumerate(points)]
        solution = list(mp.lu_solve(mp.matrix(rows), mp.matrix([w[p] * g[p] for p in points])))
        errors = [v * (_value(solution[-2::-1], t) - y) for t, y, v in zip(grid, g, w, strict=True)]
        worst = max(abs(e) for e in errors)
        if worst <= abs(solution[-1]) * mp.mpf("1.001"):
            break
        places = _extrema(errors)
        while len(places) > n:
            places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
        if len(places) < n:
            break
        points = places
    return solution[:-1], worst


def coefficients(problem: Problem) -> tuple[list[float], float]:
    """c0 ... cn of the lowest degree that fits, rounded to the type they are used in, and the error before that."""
    with mp.workdps(60):
        middle, half, steps = (problem.high + mp.mpf(problem.low)) / 2, (problem.high - mp.mpf(problem.low)) / 2, 401
        grid = [middle - half * mp.cos(mp.pi * (i + mp.mpf("0.37")) / steps) for i in range(steps)]
        g, w = [problem.g(t) for t in grid], [problem.weight(t) for t in grid]
        for degree in range(2, 40):
            found, worst = _fit(problem, degree, grid, g, w)
            if worst <= problem.bound:
                rounded = [float(c) for c in found]
                if problem.single:
                    rounded = [struct.unpack("<f", struct.pack("<f", c))[0] for c in rounded]
                return rounded, float(worst)
    raise ValueError("no polynomial of degree below 40 fits")


def _erfc_weight(a: Real) -> Real:
    return mp.erfc(a) / mp.erf(a)


ERF_MEETS = {"float": 0.9375, "double": 1.0}
TANH_MEETS = 0.625
"""Where the two forms of erf, in float and double, and of tanh meet."""

_QUARTER = (3.1416 / 4) ** 2
_HALF = 0.34662  # half of log(2), and a little for the rounding of the quotient


def _pair(name: str, single: Problem, double: Problem) -> dict[tuple[str, str], Problem]:
    return {(name, "float"): single, (name, "double"): double}


def _exp(bound: float, single: bool, weight: Callable[[Real], Real]) -> Problem:
    return Problem(lambda r: (mp.expm1(r) - r) / r**2, weight, -_HALF, _HALF, bound, single)


def _log(bound: float, single: bool) -> Problem:
    """log(1 + f) = f - f^2/2 + f^3 P(f)"""
    return Problem(
        lambda f: (mp.log1p(f) - f + f**2 / 2) / f**3, lambda f: f**3 / mp.log1p(f), -0.293, 0.5, bound, single
    )


def _atanh(bound: float, single: bool) -> Problem:
    """log((1 + s)/(1 - s)) = 2 s + s^3 P(s^2)"""
    return Problem(
        lambda z: 2 * (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
        lambda z: z * mp.sqrt(z) / (2 * mp.atanh(mp.sqrt(z))),
        0.0,
        0.0401,
        bound,
        single,
    )


def _long_atanh(bound: float) -> Problem:
    """log((1 + s)/(1 - s)) = 2 s + 2/3 s^3 + s^5 P(s^2)"""
    return Problem(
        lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2 - 2 * z / 3) / z**2,
        lambda z: z**2 * mp.sqrt(z) / (2 * mp.atanh(mp.sqrt(z))),
        0.0,
        0.0295,
        bound,
        False,
    )


def _sin(bound: float) -> Problem:
    return Problem(
        lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
        lambda z: z * mp.sqrt(z) / mp.sin(mp.sqrt(z)),
        0.0,
        _QUARTER,
        bound,
    )


def _cos(bound: float) -> Problem:
    return Problem(
        lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, lambda z: z**2 / mp.cos(mp.sqrt(z)), 0.0, _QUARTER, bound
    )


def _tanh(bound: float, single: bool) -> Problem:
    """tanh(x) = x + x^3 P(x^2)"""
    return Problem(
        lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
        lambda z: z * mp.sqrt(z) / mp.tanh(mp.sqrt(z)),
        0.0,
        TANH_MEETS**2,
        bound,
        single,
    )


def _erf(high: float, bound: float, single: bool) -> Problem:
    """erf(x) = x + x P(x^2)"""
    return Problem(
        lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1,
        lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z)),
        0.0,
        high * high,
        bound,
        single,
    )


def _erfc(low: float, high: float, bound: float, single: bool) -> Problem:
    """erf(low + t) = 1 - exp(P(t))"""
    return Problem(
        lambda t: mp.log(mp.erfc(low + t)), lambda t: _erfc_weight(low + t), 0.0, high - low, bound, single
    )


PROBLEMS: dict[tuple[str, str], Problem] = {
    **_pair(
        "exp",
        _exp(2.0**-27.5, True, lambda r: r**2 / mp.exp(r)),
        _exp(2.0**-57, False, lambda r: r**2 / mp.exp(r)),
    ),
    **_pair(
        "expm1",
        _exp(2.0**-27.5, True, lambda r: r**2 / mp.expm1(r)),
        _exp(2.0**-57, False, lambda r: r**2 / mp.expm1(r)),
    ),
    ("log", "float"): _log(2.0**-27, True),
    ("log", "double"): _atanh(2.0**-57, False),
    ("power", "double"): _long_atanh(2.0**-68),
    **_pair("sin", _sin(2.0**-32), _sin(2.0**-57)),
    **_pair("cos", _cos(2.0**-32), _cos(2.0**-57)),
    **_pair("tanh", _tanh(2.0**-27, True), _tanh(2.0**-57, False)),
    **_pair("erf", _erf(ERF_MEETS["float"], 2.0**-27.5, True), _erf(ERF_MEETS["double"], 2.0**-57, False)),
    **_pair("erfc", _erfc(ERF_MEETS["float"], 4.0, 2.0**-27.5, True), _erfc(ERF_MEETS["double"], 6.0, 2.0**-56, False)),
}
"""sin and cos of float32 are computed in float64."""

_HEAD = '''"""The elementary functions' polynomials, lowest power first, by `tests/engines/llvm/minimax.py`.

    exp, expm1  e^r = 1 + r + r^2 P(r)                     |r| <= log(2)/2
    log         log(1 + f) = f - f^2/2 + f^3 P(f)          float, -0.293 <= f <= 0.5
                log((1 + s)/(1 - s)) = 2 s + s^3 P(s^2)    double, |s| <= 0.2
    power       log((1 + s)/(1 - s)) = 2 s + 2/3 s^3 + s^5 P(s^2)        |s| <= 0.1716
    sin         sin(r) = r + r^3 P(r^2)                    |r| <= pi/4; float computes in double, to fewer bits
    cos         cos(r) = 1 - r^2/2 + r^4 P(r^2)
    tanh        tanh(x) = x + x^3 P(x^2)                   |x| <= TANH_MEETS
    erf         erf(x) = x + x P(x^2)                      |x| <= ERF_MEETS
    erfc        1 - erf(x) = exp(P(x - ERF_MEETS))         ERF_MEETS <= x <= 4 (float), 6 (double)
"""

from __future__ import annotations

__all__ = ["COEFFICIENTS", "ERF_MEETS", "TANH_MEETS"]

TANH_MEETS = {tanh}
ERF_MEETS = {erf}

COEFFICIENTS: dict[tuple[str, str], tuple[float, ...]] = {{
'''


def module() -> str:
    """The source of the module that holds the coefficients."""
    lines = [_HEAD.format(erf=json.dumps(ERF_MEETS), tanh=TANH_MEETS)]
    for (name, element), problem in PROBLEMS.items():
        found, error = coefficients(problem)
        lines.append(f'    ("{name}", "{element}"): (  # 2^{math.log2(error):.1f}\n')
        lines += [f"        {c!r},\n" for c in found]
        lines.append("    ),\n")
    return "".join([*lines, "}\n"])


if __name__ == "__main__":
    print(module(), end="")
