"""Normalisations: softmax, log-softmax, and what subtracts a mean and divides by a deviation.

    softmax        dx = y*(g - sum(y*g))
    log-softmax    dx = g - exp(y)*sum(g)
    normalised     dx = r*(u - mean(u) - z*mean(u*z)),   z = (x - mean(x))*r,   u = g, or g times an argument

Where one of these is the true gradient over some axes, the mistakes are other axes, and terms left out.
"""

from __future__ import annotations

__all__ = ["statistics"]

from collections.abc import Callable, Iterator

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses.change import named_axes, subsets

Axes = tuple[int, ...]
Kind = Callable[[Array, Array, Array, Axes], "_Terms"]


def statistics(evidence: Evidence) -> Iterator[Reading]:
    if len(evidence.outputs) != 1 or evidence.y.shape != evidence.shape or not evidence.shape:
        return
    G = len(evidence.g)
    x, y = evidence.x.astype(np.float64), evidence.y.astype(np.float64)
    g = evidence.g.reshape(G, *evidence.shape)
    true = evidence.true.reshape(g.shape)
    every = list(subsets(len(evidence.shape)))
    for kind in (_softmax, _log_softmax, _normalised):
        for u, weight in _weighted(evidence, g) if kind is _normalised else [(g, "")]:
            for axes in every:
                terms = kind(x, y, u, axes)
                if not _close(terms.whole, true):
                    continue
                yield from _variants(evidence, kind, x, y, u, axes, every, terms, g, bool(weight))
                return


class _Terms:
    """A gradient as a factor times a sum of named terms."""

    def __init__(self, factor: Array | float, **terms: Array) -> None:
        self.factor, self.terms = factor, terms

    @property
    def whole(self) -> Array:
        return self.without()

    def without(self, *names: str) -> Array:
        kept = [term for name, term in self.terms.items() if name not in names]
        return np.asarray(self.factor * sum(kept))


def _softmax(x: Array, y: Array, g: Array, axes: Axes) -> _Terms:
    inner = tuple(a + 1 for a in axes)
    return _Terms(y, direct=g, sum=np.broadcast_to(-(y * g).sum(inner, keepdims=True), g.shape))


def _log_softmax(x: Array, y: Array, g: Array, axes: Axes) -> _Terms:
    inner = tuple(a + 1 for a in axes)
    return _Terms(1.0, direct=g, sum=-np.exp(np.minimum(y, 50)) * g.sum(inner, keepdims=True))


def _normalised(x: Array, y: Array, u: Array, axes: Axes) -> _Terms:
    inner = tuple(a + 1 for a in axes)
    centred = x - x.mean(axes, keepdims=True)
    variance = centred.var(axes, keepdims=True)
    # eps is unknown: the mean term is fitted away by what the output says of the deviation
    z, r = _deviation(centred, variance, y, axes)
    return _Terms(
        r,
        direct=u,
        mean=np.broadcast_to(-u.mean(inner, keepdims=True), u.shape),
        variance=-z * (u * z).mean(inner, keepdims=True),
    )


def _deviation(centred: Array, variance: Array, y: Array, axes: Axes) -> tuple[Array, Array]:
    best, chosen = np.inf, 0.0
    ones = np.ones_like(y)
    for eps in (0.0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2):
        z = centred / np.sqrt(variance + eps + 1e-300)
        # y is z times a weight plus a bias that are constant along the batch; compare spreads along each reduced slice
        lean = np.abs((y - y.mean(axes, keepdims=True)) - z * _slope(y, z, axes) * ones).max()
        if lean < best * (1 - 1e-6):
            best, chosen = lean, eps
    r = 1 / np.sqrt(variance + chosen + 1e-300)
    return centred * r, r


def _slope(y: Array, z: Array, axes: Axes) -> Array:
    slope: Array = (y * z).mean(axes, keepdims=True) / np.maximum((z * z).mean(axes, keepdims=True), 1e-300)
    return slope


def _weighted(evidence: Evidence, g: Array) -> Iterator[tuple[Array, str]]:
    yield g, ""
    for name, array in evidence.arrays.items():
        if name == evidence.name or array.dtype.kind != "f":
            continue
        for shape in _fits(array.shape, evidence.shape):
            yield g * array.reshape(shape), name


def _fits(small: tuple[int, ...], shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Shapes by which a small array may be spread over a large one."""
    try:
        if np.broadcast_shapes(small, shape) == shape:
            yield small
    except ValueError:
        pass
    if len(small) == 1:
        for axis, size in enumerate(shape[:-1]):
            if size == small[0]:
                yield (1,) * axis + (size,) + (1,) * (len(shape) - axis - 1)


def _close(one: Array, other: Array) -> bool:
    size = float(np.sqrt(np.mean(other**2))) or 1.0
    return bool(np.isfinite(one).all() and np.abs(one - other).max(initial=0.0) < 1e-4 * size)


def _variants(
    evidence: Evidence,
    kind: Kind,
    x: Array,
    y: Array,
    u: Array,
    axes: Axes,
    every: list[Axes],
    terms: _Terms,
    g: Array,
    weighted: bool,
) -> Iterator[Reading]:
    flat = evidence.true.shape
    told = named_axes(axes)
    for other in every:
        if other != axes:
            yield Reading(
                "wrong-axis-sum",
                f"summed over {named_axes(other)} where the forward normalises over {told}",
                kind(x, y, u, other).whole.reshape(flat),
                1.2,
            )
    names = list(terms.terms)
    for name in names:
        yield Reading(
            "missing-term",
            f"without the term of the {name} over {told}",
            terms.without(name).reshape(flat),
            1.1,
            ("diagonal-only",) if name != "direct" else (),
        )
        term = np.broadcast_to(np.asarray(terms.factor * terms.terms[name]), g.shape)
        yield Reading(
            "sign",
            f"with the term of the {name} over {told} of the opposite sign",
            (terms.whole - 2 * term).reshape(flat),
            1.5,
            ("missing-term",),
        )
        size = int(np.prod([evidence.shape[a] for a in axes]))
        for c, what in ((size, f"{size} times too large"), (1 / size, f"divided by {size}")):
            yield Reading(
                "missing-mean" if c > 1 else "doubled-mean",
                f"with the term of the {name} over {told} {what}",
                (terms.whole + (c - 1) * term).reshape(flat),
                1.5,
                ("wrong-axis-sum", "missing-term"),
            )
    if len(names) > 2:
        yield Reading(
            "missing-term",
            f"that of fixed statistics: without the terms of mean and variance over {told}",
            terms.without(*names[1:]).reshape(flat),
            1.2,
            ("diagonal-only",),
        )
    if not np.isscalar(terms.factor):
        yield Reading("missing-term", "without the factor in front", (terms.whole / terms.factor).reshape(flat), 1.4)
        yield Reading(
            "wrong-derivative",
            "with the factor in front squared",
            (terms.whole * terms.factor).reshape(flat),
            1.6,
            ("factor",),
        )
    if weighted:
        yield Reading(
            "missing-term",
            "without the weight of the forward",
            kind(x, y, g, axes).whole.reshape(flat),
            1.3,
            ("wrong-saved",),
        )
