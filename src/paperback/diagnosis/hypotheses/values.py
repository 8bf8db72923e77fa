"""Gradients that are another thing: zeros, the forward's output, an argument, another argument's gradient."""

from __future__ import annotations

__all__ = ["another_function", "derivatives", "elementwise", "other_things", "swapped"]

from collections.abc import Iterator

import numpy as np

from paperback.diagnosis.arrays import Array
from paperback.diagnosis.evidence import Evidence, Reading


def other_things(evidence: Evidence) -> Iterator[Reading]:
    """Zeros, an output, an argument, the upstream gradient: whatever the cotangent says."""
    n = evidence.x.size
    zeros = np.zeros_like(evidence.true)
    yield Reading("zero", "zero everywhere", zeros, 0.5, scaled=False)
    things = [("the forward's output", y) for y in evidence.outputs]
    things += [
        (f"the argument {name}" if name != evidence.name else f"{name} itself", a)
        for name, a in evidence.arrays.items()
        if a.dtype.kind == "f"
    ]
    for words, thing in things:
        if thing.size == n:
            flat = thing.ravel().astype(np.float64)
            yield Reading("forward-returned", words, zeros + flat, 1.2)
            if evidence.g.shape[1] == n and n > 1:
                yield Reading(
                    "wrong-derivative",
                    f"{words} times the upstream gradient",
                    evidence.g * flat,
                    1.6,
                    ("forward-returned", "wrong-saved"),
                )
        elif thing.size == 1:
            yield Reading("forward-returned", words, zeros + float(thing.ravel()[0]), 1.3, scaled=False)
    if evidence.g.shape[1] == n and evidence.diagonal is not None:
        yield Reading(
            "local-derivative-missing",
            "the upstream gradient itself",
            evidence.g.copy(),
            1.5,
            ("mask-missing", "wrong-derivative"),
        )
    elif evidence.g.shape[1] == n:
        yield Reading(
            "local-derivative-missing", "the upstream gradient itself", evidence.g.copy(), 1.5, ("missing-term",)
        )
    flat = evidence.J.sum(0)
    if np.abs(flat).max(initial=0.0) > 0 and evidence.g.shape[1] > 1:
        elementwise = evidence.diagonal is not None
        yield Reading(
            "upstream-ignored" if elementwise else "upstream-ones",
            "the derivative alone, without the upstream gradient"
            if elementwise
            else "that of an upstream gradient of all ones, whatever comes in",
            zeros + flat,
            0.9,
            ("upstream-ones" if elementwise else "upstream-ignored",),
        )
    elif evidence.g.shape[1] == 1:
        yield Reading(
            "upstream-ignored", "the same whatever the upstream gradient is", zeros + flat, 0.9, ("upstream-ones",)
        )


def swapped(evidence: Evidence) -> Iterator[Reading]:
    """The gradient of another argument, as it is, reshaped, or transposed."""
    for name, gradient in evidence.others.items():
        if name == evidence.name or gradient.shape != evidence.true.shape:
            continue
        words = f"the gradient of {name}"
        yield Reading("swapped-arguments", words, gradient, 1.3)
        shape = evidence.arrays[name].shape
        if len(shape) == 2:
            turned = gradient.reshape(-1, *shape).transpose(0, 2, 1).reshape(gradient.shape)
            yield Reading("swapped-arguments", f"{words}, transposed", turned, 1.8)


def elementwise(evidence: Evidence) -> Iterator[Reading]:
    """Another function of x and y where the operation works element by element: returned = r(x, y)*g."""
    d = evidence.diagonal
    if d is None:
        return
    x, y, g = evidence.x.ravel().astype(np.float64), evidence.y.ravel().astype(np.float64), evidence.g
    with np.errstate(all="ignore"):
        for words, r in derivatives(x, y, d):
            if np.isfinite(r).all() and np.abs(r - d).max(initial=0.0) > 1e-9:
                yield Reading(
                    "wrong-derivative",
                    f"{words} times the upstream gradient, where it is the derivative",
                    g * r,
                    2.0,
                    ("local-derivative-missing", "wrong-saved"),
                )
        yield Reading(
            "local-derivative-missing",
            "the upstream gradient divided by the derivative",
            g / d,
            2.2,
            ("wrong-derivative",),
        )
        yield Reading("wrong-derivative", "the derivative squared times the upstream gradient", g * d * d, 2.1)
        yield Reading("wrong-derivative", "the derivative's size, its sign lost", g * np.abs(d), 2.2, ("sign",))
        yield Reading("upstream-squared", "multiplied by the upstream gradient twice", g * g * d, 1.5)
        yield Reading(
            "forward-returned",
            "the derivative and the forward's output multiplied",
            g * d * y,
            2.2,
            ("wrong-derivative",),
        )
        yield Reading("wrong-derivative", "the derivative and the argument multiplied", g * d * x, 2.2)


def another_function(evidence: Evidence) -> str:
    """Where an operation element by element has an unknown derivative: where, and how far it is off; "" for others."""
    d, B = evidence.diagonal, evidence.B
    if d is None or B is None:
        return ""
    r = np.diagonal(B)
    if np.abs(B - np.diag(r)).max(initial=0.0) > 1e-6 * np.abs(r).max(initial=0.0):
        return ""
    x, bad = evidence.x.ravel(), evidence.bad
    worst = int(np.argmax(np.abs(r - d)))
    at = f"{evidence.name} = {x[worst]:.4g}"
    told = f"the upstream gradient times {r[worst]:.4g} at {at}, where the slope is {d[worst]:.4g}"
    inside = (x >= x[bad].min()) & (x <= x[bad].max())
    if not bad.all() and bad[inside].all():
        return f"wrong where {evidence.name} is between {x[bad].min():.3g} and {x[bad].max():.3g}: {told}"
    return told


def derivatives(x: Array, y: Array, d: Array) -> Iterator[tuple[str, Array]]:
    """Functions that stand where a derivative should."""
    yield "the forward's output y", y
    yield "the argument x", x
    for name, v in (("x", x), ("y", y)):
        yield f"1 - {name}^2", 1 - v * v
        yield f"{name}*(1 - {name})", v * (1 - v)
        yield f"1 - {name}", 1 - v
        yield f"{name}^2", v * v
        yield f"1/{name}", 1 / v
        yield f"2*{name}", 2 * v
        yield f"[{name} > 0]", (v > 0) * 1.0
        yield f"sign({name})", np.sign(v)
        yield f"exp({name})", np.exp(np.clip(v, -700, 700))
        sigmoid = 1 / (1 + np.exp(-np.clip(v, -700, 700)))
        yield f"sigmoid({name})", sigmoid
        yield f"sigmoid'({name})", sigmoid * (1 - sigmoid)
        yield f"1 - tanh({name})^2", 1 - np.tanh(v) ** 2
        yield f"1/(1 + {name}^2)", 1 / (1 + v * v)
        yield f"1/{name}^2", 1 / (v * v)
        yield f"-1/{name}^2", -1 / (v * v)
        yield f"cos({name})", np.cos(v)
    yield "1 - derivative", 1 - d
    yield "(1 - y)", 1 - y
