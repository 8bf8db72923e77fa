r"""The largest singular values of a map that is only known by what it does: Golub, Kahan and Lanczos.

    A v_j = alpha_j u_j + beta_{j-1} u_{j-1}        A^T u_j = alpha_j v_j + beta_j v_{j+1}

The bidiagonal matrix B of the alphas and betas has singular values that approach those of A, the largest first. Every
new vector is made orthogonal to all before it (twice, which is enough): without that, copies of found values appear.
After j steps the k-th value is off by at most beta_j * |last entry of its left vector in B|; the steps end when that is
below the tolerance for all that are wanted.

One start vector sees a value that occurs twice only once. So what was found is taken out and the largest rest is looked
for, until it is none of the largest k.

Source: Golub and Kahan, Calculating the singular values and pseudo-inverse of a matrix, 1965.
"""

from __future__ import annotations

__all__ = ["largest"]

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Apply = Callable[[Array], Array]

_TOO_SMALL = 1e-13  # of a rest, relative to the largest alpha: nothing but rounding is left


def largest(
    apply: Apply, adjoint: Apply, rows: int, columns: int, count: int, tolerance: float, seed: int = 0
) -> Array:
    """The `count` largest singular values, in order, each within `tolerance` times the largest."""
    if rows < columns:  # so that the space of right vectors ends first, and B is square then
        apply, adjoint, rows, columns = adjoint, apply, columns, rows
    random = np.random.default_rng(seed)
    count = min(count, rows, columns)
    values, vectors = _run(apply, adjoint, rows, columns, count, tolerance, random, np.zeros((0, columns)))
    while len(vectors) < columns:
        more, where = _run(apply, adjoint, rows, columns, 1, tolerance, random, vectors)
        if not len(more) or more[0] <= values[count - 1] + tolerance * values[0]:
            break
        order = np.argsort(np.concatenate([values, more]))[::-1]
        values = np.concatenate([values, more])[order]
        vectors = np.concatenate([vectors, where])[order]
    return values[:count]


def _run(
    apply: Apply,
    adjoint: Apply,
    rows: int,
    columns: int,
    count: int,
    tolerance: float,
    random: np.random.Generator,
    without: Array,
) -> tuple[Array, Array]:
    """The largest values with their right vectors, in the space orthogonal to the vectors `without`."""
    most = columns - len(without)
    right = np.zeros((0, columns))
    left = np.zeros((0, rows))
    alphas: list[float] = []
    due = count
    betas: list[float] = []
    vector = _orthogonal(random.standard_normal(columns), without)
    vector /= np.linalg.norm(vector)
    while True:
        right = np.vstack([right, vector])
        image = _orthogonal(apply(vector), left)
        alpha = float(np.linalg.norm(image))
        scale = max([alpha, *alphas, *betas])
        if alpha <= _TOO_SMALL * scale:
            alpha, image = 0.0, _orthogonal(random.standard_normal(rows), left)
        left = np.vstack([left, image / np.linalg.norm(image)])
        alphas.append(alpha)
        back = _orthogonal(_orthogonal(adjoint(left[-1]), right), without)
        beta = float(np.linalg.norm(back))
        ended = len(alphas) >= most
        if beta <= _TOO_SMALL * max(scale, beta) or ended:
            beta = 0.0
        if len(alphas) >= min(most, due) or not beta:
            u, values, vt = np.linalg.svd(np.diag(alphas) + np.diag(betas, 1))
            enough = len(values) >= count and bool(np.all(beta * np.abs(u[-1, :count]) <= tolerance * values[0]))
            if ended or enough:
                return values[:count], (vt @ right)[:count]
            due += 1 + due // 4  # the values of B cost more than a step: they are looked at less and less often
        if not beta:
            back = _orthogonal(_orthogonal(random.standard_normal(columns), right), without)
            vector = back / np.linalg.norm(back)
        else:
            vector = back / beta
        betas.append(beta)


def _orthogonal(vector: Array, basis: Array) -> Array:
    """What is left of the vector beside the orthonormal rows of the basis; done twice, it is orthogonal to rounding."""
    for _ in range(2):
        vector = vector - basis.T @ (basis @ vector)
    return vector
