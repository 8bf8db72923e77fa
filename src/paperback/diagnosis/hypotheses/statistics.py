"""Normalisations: softmax, log-softmax, and what subtracts a mean and divides by a deviation.

    softmax        dx = y*(g - sum(y*g))
    log-softmax    dx = g - exp(y)*sum(g)
    normalised     dx = r*(u - mean(u) - z*mean(u*z)),   z = (x - mean(x))*r,   u = g, or g times an argument

Where one of these is the true gradient over some axes, the mistakes are other axes, and terms left out.
"""

from __future__ import annotations

__all__ = ["statistics"]

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses.change import named_axes, subsets

Axes = tuple[int, ...]
Kind = Callable[..., "_Terms"]  # of the upstream gradient, the axes of statistics, and those of sums
Normaliser = Callable[[Array, Array, Axes, Axes | None, float], "_Terms"]
_EPSILONS = (0.0, 1e-5, 1e-12, 1e-8, 1e-7, 1e-6, 1e-10, 1e-4, 1e-3, 1e-2)


def statistics(evidence: Evidence) -> Iterator[Reading]:
    if len(evidence.outputs) != 1 or evidence.y.shape != evidence.shape or not evidence.shape:
        return
    G = len(evidence.g)
    x, y = evidence.x.astype(np.float64), evidence.y.astype(np.float64)
    g = evidence.g.reshape(G, *evidence.shape)
    true = evidence.true.reshape(g.shape)
    every = list(subsets(len(evidence.shape)))
    kinds: list[Kind] = [partial(_softmax, y), partial(_log_softmax, y)]
    kinds += [partial(_with_eps, kind, x, eps) for kind in (_normalised, _scaled, _unit) for eps in _EPSILONS]
    for u, weight in [(g, ""), *_weighted(evidence, g)]:
        for axes in every:
            for kind in kinds:
                terms = kind(u, axes)
                if _close(terms.whole, true):
                    yield from _variants(evidence, kind, u, axes, every, terms, g if weight else None)
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


def _with_eps(kind: Normaliser, x: Array, eps: float, u: Array, axes: Axes, over: Axes | None = None) -> _Terms:
    return kind(x, u, axes, over, eps)


def _softmax(y: Array, g: Array, axes: Axes, over: Axes | None = None) -> _Terms:
    inner = tuple(a + 1 for a in over or axes)
    return _Terms(y, direct=g, sum=np.broadcast_to(-(y * g).sum(inner, keepdims=True), g.shape))


def _log_softmax(y: Array, g: Array, axes: Axes, over: Axes | None = None) -> _Terms:
    inner = tuple(a + 1 for a in over or axes)
    return _Terms(1.0, direct=g, sum=-np.exp(np.minimum(y, 50)) * g.sum(inner, keepdims=True))


def _normalised(x: Array, u: Array, axes: Axes, over: Axes | None, eps: float) -> _Terms:
    inner = tuple(a + 1 for a in over or axes)
    r = 1 / np.sqrt(x.var(axes, keepdims=True) + eps)
    z = (x - x.mean(axes, keepdims=True)) * r
    mean = np.broadcast_to(-u.mean(inner, keepdims=True), u.shape)
    return _Terms(r, direct=u, mean=mean, variance=-z * (u * z).mean(inner, keepdims=True))


def _scaled(x: Array, u: Array, axes: Axes, over: Axes | None, eps: float) -> _Terms:
    inner = tuple(a + 1 for a in over or axes)
    r = 1 / np.sqrt((x * x).mean(axes, keepdims=True) + eps)
    return _Terms(r, direct=u, size=-x * r * (u * x * r).mean(inner, keepdims=True))


def _unit(x: Array, u: Array, axes: Axes, over: Axes | None, eps: float) -> _Terms:
    inner = tuple(a + 1 for a in over or axes)
    r = 1 / np.sqrt((x * x).sum(axes, keepdims=True) + eps)
    return _Terms(r, direct=u, length=-x * r * (u * x * r).sum(inner, keepdims=True))


def _weighted(evidence: Evidence, g: Array) -> Iterator[tuple[Array, str]]:
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
    return bool(np.isfinite(one).all() and np.abs(one - other).max(initial=0.0) < 1e-7 * size)


def _variants(
    evidence: Evidence, kind: Kind, u: Array, axes: Axes, every: list[Axes], terms: _Terms, bare: Array | None
) -> Iterator[Reading]:
    """Other axes, terms left out, terms with another factor, the factor in front left out or squared, no weight."""
    flat, told, names = evidence.true.shape, named_axes(axes), list(terms.terms)
    for other in (other for other in every if other != axes):
        words = f"summed over {named_axes(other)} where the forward normalises over {told}"
        yield Reading("wrong-axis-sum", words, kind(u, other).whole.reshape(flat), 1.2)
        theirs = kind(u, axes, other).terms
        for name in names[1:]:
            one = terms.factor * (sum(terms.terms[n] for n in names if n != name) + theirs[name])
            words = f"with the term of the {name} summed over {named_axes(other)} in place of {told}"
            yield Reading(
                "wrong-axis-sum", words, np.asarray(one).reshape(flat), 1.3, ("missing-term", "wrong-derivative")
            )
    for name in names[1:]:
        words = f"without the term of the {name} over {told}"
        yield Reading("missing-term", words, terms.without(name).reshape(flat), 1.1, ("diagonal-only",))
    if len(names) > 2:
        words = f"that of fixed statistics: without the terms of {' and '.join(names[1:])} over {told}"
        yield Reading("missing-term", words, terms.without(*names[1:]).reshape(flat), 1.2, ("diagonal-only",))
    if not np.isscalar(terms.factor):
        whole = terms.whole
        yield Reading("missing-term", "without the factor in front", (whole / terms.factor).reshape(flat), 1.4)
        yield Reading(
            "wrong-derivative",
            "with the factor in front squared",
            (whole * terms.factor).reshape(flat),
            1.6,
            ("factor",),
        )
    if bare is not None:
        yield Reading(
            "missing-term",
            "without the weight of the forward",
            kind(bare, axes).whole.reshape(flat),
            1.3,
            ("wrong-saved",),
        )
    yield from _other_factors(evidence, terms, told)


def _other_factors(evidence: Evidence, terms: _Terms, told: str) -> Iterator[Reading]:
    """The same terms, each with a factor of its own."""
    valid, names = evidence.valid, list(terms.terms)
    parts = [np.asarray(terms.factor * term).reshape(evidence.true.shape) for term in terms.terms.values()]
    A = np.stack([part[valid] for part in parts], 1)
    c, *_ = np.linalg.lstsq(A, evidence.returned[valid], rcond=None)
    predicted = sum(size * part for size, part in zip(c, parts, strict=True))
    odd = [(name, size) for name, size in zip(names, c, strict=True) if abs(size - 1) > 1e-6]
    if odd and not np.allclose(c, c[0], rtol=1e-5):
        words = " and ".join(f"the term of the {name} {size:.4g} times" for name, size in odd)
        sign = ("sign",) if any(abs(size + 1) < 1e-6 for _, size in odd) else ()
        also = (*sign, "missing-term", "factor", "doubled-mean", "missing-mean")
        yield Reading("wrong-derivative", f"with {words}, over {told}", np.asarray(predicted), 1.7, also, scaled=False)
