"""Both gradients read as sums of simple terms, a*F1 + b*F2, and told apart term by term.

A term is a way in which the upstream gradient comes in, times a function of an argument or of the output:

    g * y      sum(g*y) * y      sum over the batch of g * x      [label = k]      sigmoid(x) * g   ...

The true gradient is read too where it can be: then what was returned has the same terms with another factor, one less,
or another one.
"""

from __future__ import annotations

__all__ = ["terms"]

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence, Reading
from paperback.diagnosis.hypotheses.change import named_axes, subsets

_MOST = 500  # terms
_ENOUGH = 8  # numbers beside which two coefficients are no coincidence


@dataclass(frozen=True)
class Term:
    """A name, its numbers [G, n], and what it is besides: the same kind over other axes is the same mistake."""

    name: str
    values: Array
    kind: str = ""


def terms(evidence: Evidence) -> Iterator[Reading]:
    if evidence.valid.sum() < _ENOUGH:
        return
    found = _dictionary(evidence)
    if not found:
        return
    returned = _read(found, evidence, evidence.returned)
    if returned is None:
        return
    true = _read(found, evidence, evidence.true)
    predicted = sum(c * term.values for c, term in returned)
    told, count = _spelled(returned), len(returned)
    yield _told_apart(evidence, returned, true, np.asarray(predicted), told, 1.9 + 0.3 * count)


Sum = list[tuple[float, Term]]


def _told_apart(
    evidence: Evidence, returned: Sum, true: Sum | None, predicted: Array, told: str, cost: float
) -> Reading:
    """Which pattern leads from the true sum of terms to the returned one."""
    also = ("wrong-derivative", "missing-term")
    if any(odd in term.name for _, term in returned for odd in ("max(g, 0)", "|g|", "g^2")):
        return Reading("not-linear", told, predicted, cost, ("mask-extra", *also), scaled=False)
    if true is None:
        with_true = any(term.name == "the true one" for _, term in returned)
        slug = "missing-term" if with_true and len(returned) > 1 else "wrong-derivative"
        own = next((c for c, term in returned if term.name == "the true one"), 1.0)
        size = () if abs(own - 1) < 1e-5 else ("sign",) if abs(own + 1) < 1e-5 else ("factor",)
        return Reading(slug, told, predicted, cost, (*size, *also), scaled=False)
    words = f"{told}, where it is {_spelled(true)}"
    here, there = {term.name: c for c, term in returned}, {term.name: c for c, term in true}
    kinds = {term.name: term.kind for _, term in (*returned, *true)}
    if set(here) < set(there):
        return Reading("missing-term", words, predicted, cost, ("wrong-derivative", "diagonal-only"), scaled=False)
    if set(here) == set(there):
        ratios = {here[name] / there[name] for name in here}
        flipped = any(abs(ratio + 1) < 1e-5 for ratio in ratios)
        return Reading(
            "wrong-derivative", words, predicted, cost, ("sign" if flipped else "factor", "missing-term"), scaled=False
        )
    new, lost = sorted(set(here) - set(there)), sorted(set(there) - set(here))
    if len(new) == len(lost) and all(kinds[a] and kinds[a] == kinds[b] for a, b in zip(new, lost, strict=True)):
        return Reading("wrong-axis-sum", words, predicted, cost - 0.5, also, scaled=False)
    negated = len(here) == len(there) and np.allclose(sorted(here.values()), sorted(-c for c in there.values()))
    sign = ("sign",) if negated else ()
    return Reading("wrong-derivative", words, predicted, cost, (*sign, "missing-term", "wrong-saved"), scaled=False)


def _spelled(parts: Sum) -> str:
    """0.5*F1 - 2*F2."""
    told = ""
    for c, term in parts:
        size = "" if abs(abs(c) - 1) < 1e-6 else f"{abs(c):.4g}*"
        told += (" - " if c < 0 else " + " if told else "") + size + term.name
    return told.strip()


def _read(found: list[Term], evidence: Evidence, target: Array) -> Sum | None:
    """The fewest terms, at most two, that make the target."""
    valid = evidence.valid
    if target is evidence.true:
        found = [term for term in found if term.name != "the true one" and " * the true one" not in term.name]
    F = np.stack([term.values[valid] for term in found])
    t = target[valid]
    sizes = np.sqrt((F * F).sum(1))
    keep = np.isfinite(sizes) & (sizes > 1e-12 * np.sqrt(t @ t)) & (sizes > 0)
    if not keep.any() or not t @ t > 0:
        return None
    chosen = [term for term, good in zip(found, keep, strict=True) if good]
    F = F[keep] / sizes[keep][:, None]
    t_size = float(np.sqrt(t @ t))
    along = F @ t / t_size
    for k in np.argsort(-np.abs(along))[:3]:
        answer = _solved([chosen[k]], valid, target, evidence)
        if answer is not None:
            return answer
    gram = F @ F.T
    i, k = np.triu_indices(len(chosen), 1)
    det = 1 - gram[i, k] ** 2
    with np.errstate(all="ignore"):
        explained = (along[i] ** 2 + along[k] ** 2 - 2 * gram[i, k] * along[i] * along[k]) / det
    explained[~(det > 1e-8)] = -1
    for best in np.argsort(-explained)[:12]:
        if explained[best] > 1 - 1e-6:
            answer = _solved([chosen[i[best]], chosen[k[best]]], valid, target, evidence)
            if answer is not None:
                return answer
    return None


def _solved(picked: list[Term], valid: Array, target: Array, evidence: Evidence) -> Sum | None:
    """The coefficients by least squares, where they make the target within the tolerance."""
    A = np.stack([term.values[valid] for term in picked], 1)
    coefficients, *_ = np.linalg.lstsq(A, target[valid], rcond=None)
    apart = np.abs(A @ coefficients - target[valid])
    if not np.all(apart <= 3 * evidence.allowed[valid] + 1e-6 * evidence.scale):
        return None
    return [(float(c), term) for c, term in zip(coefficients, picked, strict=True) if abs(c) > 1e-7]


# --- the dictionary ---------------------------------------------------------------------------------------------------


def _dictionary(evidence: Evidence) -> list[Term]:
    """Ways in times functions."""
    found: list[Term] = []
    seen: set[bytes] = set()

    def add(name: str, values: Array, kind: str = "") -> None:
        flat = np.ascontiguousarray(values.reshape(len(values), -1), dtype=np.float64)
        if flat.shape != evidence.true.shape or not np.isfinite(flat[evidence.valid]).all():
            return
        size = np.abs(flat).max(initial=0.0)
        key = np.round(flat / size, 9).tobytes() if size else b""
        if size and key not in seen and (len(found) < _MOST or name == "the true one"):
            seen.add(key)
            found.append(Term(name, flat, kind))

    functions = list(_functions(evidence))
    for way, values in _ways(evidence):
        for name, f, kind in functions:
            shape = np.broadcast_shapes(f.shape, values.shape[1:]) if _spreads(f.shape, values.shape[1:]) else ()
            if shape == evidence.shape:
                whole = values.reshape(len(values), *(1,) * (len(shape) - values.ndim + 1), *values.shape[1:])
                over = way.partition(" over ")
                kind_here = f"{kind or name}*{over[0]}" if kind or over[1] else ""
                add(f"{name}*{way}" if name != "1" else way, whole * f, kind_here)
    for name, values, kind in _summed(evidence, functions):
        add(name, values, kind)
    add("the true one", evidence.true)
    true = evidence.folded(evidence.true)
    for name, f, _ in functions:
        if name != "1" and _spreads(f.shape, evidence.shape) and f.ndim < true.ndim:
            add(f"{name} * the true one", true * f)
    return found


def _spreads(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        np.broadcast_shapes(one, other)
    except ValueError:
        return False
    return True


def _ways(evidence: Evidence) -> Iterator[tuple[str, Array]]:
    """How the upstream gradient comes in, [G, ...] that spreads over the argument."""
    g = _first_output(evidence)
    shape, rank = evidence.shape, len(evidence.shape)
    y = evidence.y.astype(np.float64)
    if g.shape[1:] == shape:
        yield "g", g
        for name, weight in (("g", None), ("g*y", y), ("g*x", evidence.x)):
            part = g if weight is None else g * weight
            for axes in subsets(rank):
                inner = tuple(a + 1 for a in axes)
                yield f"sum({name}) over {named_axes(axes)}", part.sum(inner, keepdims=True)
        yield "max(g, 0)", np.maximum(g, 0)
        yield "|g|", np.abs(g)
        yield "g^2", g * g
    elif g.ndim == 1:
        yield "g", g.reshape(len(g), *(1,) * rank)
    elif g.ndim - 1 == rank - 1:
        fits = [axis for axis in range(rank) if tuple(np.delete(shape, axis)) == g.shape[1:]]
        for axis in fits:
            yield "g" if len(fits) == 1 else f"g spread over axis {axis}", np.expand_dims(g, axis + 1)


def _first_output(evidence: Evidence) -> Array:
    g: Array = evidence.g[:, : evidence.y.size].reshape(len(evidence.g), *evidence.y.shape)
    return g


def _functions(evidence: Evidence) -> Iterator[tuple[str, Array, str]]:
    """(name, values, kind) of arguments and the output, that may stand in a derivative."""
    yield "1", np.ones(()), ""
    arrays = [(name, a.astype(np.float64)) for name, a in evidence.arrays.items() if a.dtype.kind == "f" and a.ndim]
    if len(evidence.outputs) == 1:
        arrays.append(("y" if "y" not in evidence.arrays else "output", evidence.y.astype(np.float64)))
    arrays = [(name, a) for name, a in arrays if _spreads(a.shape, evidence.shape)]
    for name, a in arrays:
        yield from _of_one(name, a)
    for (one, a), (other, b) in combinations(arrays, 2):
        if a.shape == b.shape:
            yield f"({one} - {other})", a - b, ""
            yield f"sign({one} - {other})", np.sign(a - b), ""
            yield f"|{one} - {other}|", np.abs(a - b), ""
            yield f"{one}*{other}", a * b, ""
            yield f"{one}/{other}", a / b, ""
    for name, labels in evidence.arrays.items():
        if labels.dtype.kind in "iu":
            for axis, size in enumerate(evidence.shape):
                if labels.shape == tuple(np.delete(evidence.shape, axis)):
                    at = np.expand_dims(labels, axis) - np.arange(size).reshape(
                        [-1 if a == axis else 1 for a in range(len(evidence.shape))]
                    )
                    for by, told in ((0, name), (1, f"{name} - 1"), (-1, f"{name} + 1")):
                        yield f"[{told}]", (at == by) * 1.0, "label"
        if labels.dtype.kind == "b" and _spreads(labels.shape, evidence.shape):
            yield f"[{name}]", labels * 1.0, ""
            yield f"[not {name}]", ~labels * 1.0, ""


def _of_one(name: str, a: Array) -> Iterator[tuple[str, Array, str]]:
    bounded = np.clip(a, -300, 300)
    sigmoid = 1 / (1 + np.exp(-bounded))
    yield name, a, ""
    yield f"{name}^2", a * a, ""
    yield f"1/{name}", 1 / a, ""
    yield f"sign({name})", np.sign(a), ""
    yield f"[{name} > 0]", (a > 0) * 1.0, ""
    yield f"exp({name})", np.exp(bounded), ""
    yield f"log({name})", np.log(a), ""
    yield f"sigmoid({name})", sigmoid, ""
    yield f"sigmoid'({name})", sigmoid * (1 - sigmoid), ""
    yield f"{name}*(1 - {name})", a * (1 - a), ""
    yield f"(1 - {name}^2)", 1 - a * a, ""
    for axes in subsets(a.ndim, 3):
        if all(a.shape[axis] > 1 for axis in axes):
            told = named_axes(axes)
            top = a.max(axes, keepdims=True)
            e = np.exp(np.clip(a - top, -300, 0))
            yield f"softmax({name}) over {told}", e / e.sum(axes, keepdims=True), "softmax"
            yield f"[{name} largest over {told}]", (a == top) * 1.0, "largest"
            yield f"({name} - max({name}) over {told})", a - top, "from the largest"
            length = np.sqrt((a * a).sum(axes, keepdims=True))
            yield f"1/|{name}| over {told}", np.broadcast_to(1 / length, a.shape), "length"
            yield f"{name}/|{name}| over {told}", a / length, "unit"


def _summed(evidence: Evidence, functions: list[tuple[str, Array, str]]) -> Iterator[tuple[str, Array, str]]:
    """Sums over the output's axes of g times something, for an argument that has fewer numbers."""
    g = _first_output(evidence)
    rank = g.ndim - 1
    weights = [("", np.ones(()))]
    weights += [(f"*{name}", a.astype(np.float64)) for name, a in evidence.arrays.items() if a.dtype.kind in "fb"]
    weights += [("*y", evidence.y.astype(np.float64))]
    for name, weight in weights:
        if not _spreads(weight.shape, g.shape[1:]) or np.broadcast_shapes(weight.shape, g.shape[1:]) != g.shape[1:]:
            continue
        for axes in subsets(rank):
            part = (g * weight).sum(tuple(a + 1 for a in axes))
            if part[0].size == evidence.x.size and part[0].size > 1:
                yield f"sum(g{name}) over {named_axes(axes)}", part, f"sum(g{name})"
