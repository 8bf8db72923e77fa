"""Mistakes planted in the emitter: the laws of this folder must catch each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.calculus.formulas import CASES
from tests.engines.emit.running import call, load
from tests.engines.emit.test_formulas import arrays_of

import paperback as pb
from paperback.engines.emit import arrays, dialects, functions, reads, reductions, scatters, scope, sums, values
from paperback.notation.affine import Affine
from paperback.notation.size import Size

BY_ID = {case.id: case for case in CASES}
SUITE = [
    "conv1d s2 d3 H7 P2 plain pad1", "conv1d s2 d1 H11 P2 flip pad0", "strided dilated convolution",
    "transposed convolution", "overlapping max pool", "max pool padded with -inf", "embedding lookup", "flatten",
    "layer norm in three lines", "masked sum", "a max that may be empty", "scatter by a gather", "rms norm",
    "log softmax", "attention pooling", "upsampling with gaps", "rotary embedding", "depthwise separable convolution",
    "reversal", "gated linear unit", "bilinear form", "sigmoid of a matrix", "a quotient behind its bracket",
    "two paddings of one tensor", "causal attention",
]  # fmt: skip


def wrong() -> Iterator[str]:
    """The formulas of the suite whose emitted values or gradients are not those of the engine, or do not run."""
    for name in SUITE:
        case = BY_ID[name]
        formula, given = case.formula(), arrays_of(case)
        every = {**given, **{n: s for n, s in case.sizes.items() if n in formula.block.size_names}}
        right = formula(**every)
        cotangent = np.random.default_rng(0).standard_normal(right.shape)
        gradients = list(formula.gradients(every, cotangent).values())
        dy = {f"d{formula.block.result.target}": cotangent}
        try:
            got = call("numpy", load(formula.source(), "forward"), every)
            got += call("numpy", load(formula.source(what="vjp"), "vjp"), {**every, **dy})
            same = all(
                a.shape == np.shape(b) and np.allclose(a, b, rtol=1e-9, atol=1e-10)
                for a, b in zip(got, [right, *gradients], strict=True)
            )
        except Exception:  # a text that does not run is wrong too
            same = False
        if not same:
            yield name


def test_nothing_is_wrong_without_a_mistake() -> None:
    assert list(wrong()) == []


Plant = Callable[[pytest.MonkeyPatch], None]


def spelled(name: str, wrong: Callable[..., str]) -> Plant:
    """NumPy's dialect spells one operation wrongly."""
    return lambda patch: patch.setattr(dialects.NumPy, name, wrong)


def method(owner: Any, name: str, change: Callable[..., Any]) -> Plant:
    """A function of the emitter, with its result or its arguments changed: `change(original, *arguments)`."""
    original = getattr(owner, name)
    return lambda patch: patch.setattr(owner, name, lambda *args, **more: change(original, *args, **more))


def without_guards(original: Any, self: Any, mask: Any, value: Any, other: str = "0") -> Any:
    return self.floats(value)


MUTANTS: dict[str, Plant] = {
    "a bracket is forgotten": method(scope.Scope, "select", without_guards),
    "a scatter stores where it should add": method(
        dialects.Dialect, "store", lambda original, self, target, index, value, add: f"{target}[{index}] = {value}"
    ),
    "rows are stored where they should be added": spelled("scatter", lambda s, t, p, v, r: f"{t}[{p}] = {v}"),
    "a flip is forgotten": spelled("flip", lambda self, text, axis: text),
    "padding is always 0": method(dialects.Dialect, "pad", lambda original, self, text, widths, value:
                                  original(self, text, widths, "0")),
    "strides of slices are forgotten": method(scope.Scope, "slice", lambda original, self, start, step, count, length:
                                              original(self, start, Size.of(1), count, length)),
    "a slice starts at 0": method(scope.Scope, "slice", lambda original, self, start, step, count, length:
                                  original(self, Size(), step, count, length)),
    "a slice never ends": method(scope.Scope, "covers", lambda original, *args: True),
    "padding before an axis is forgotten": method(scope.Scope, "positive", lambda original, self, size, hint:
                                                  Size() if "before" in hint else original(self, size, hint)),
    "axes are not transposed": method(scope, "aligned", lambda original, value, letters, transpose:
                                      values.Value(value.text, tuple(l for l in letters if l in value.letters))),
    "einsum's result has its axes in another order": method(sums, "_einsum", lambda original, s, factors, own:
        (lambda v: values.Value(v.text, v.letters[::-1], v.binds))(original(s, factors, own))),
    "a minus is dropped": method(arrays, "_signed", lambda original, term: (1, original(term)[1])),
    "the last maximum wins": spelled("argmax", lambda self, op, text:
                                     f"({text}.shape[-1] - 1 - {text}[..., ::-1].{op}(axis=-1))"),
    "a logsumexp is a sum": spelled("logsumexp", lambda self, text, axes: f"np.exp({text}).sum(axis={axes[0]})"),
    "maxima over nothing are 0": method(reductions, "_none", lambda original, s, op: "0"),
    "digits are read in the opposite order": method(functions, "mixed_radix", lambda original, *args:
                                                    (lambda d: d and d[::-1])(original(*args))),
    "an offset that was solved has one value too few": method(scatters, "Binder", lambda original, letter, extent:
                                                              original(letter, extent - 1)),
    "a place is off by one": method(scatters, "Place", lambda original, letter, form:
                                    original(letter, form + Affine.of(1))),
    "indices begin at 1": method(scope.Scope, "affine", lambda original, self, affine, *args:
                                 original(self, affine if affine.is_size else affine + 1, *args)),
    "integers stay integers in a division by them": spelled("cast", lambda self, text, like: f"{text}.astype(bool)"),
    "an exponent is its denominator": method(arrays.Arrays, "_power", lambda original, self, node:
                                             values.Value(self.value(node.base).at(values.ATOM) + "**2",
                                                          self.value(node.base).letters, values.POWER)),
    "dilation is forgotten": method(reads, "_absolute", lambda original, s, size: Size.of(1)),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    if name == "the last maximum wins":  # only ties tell
        pool = pb.formula("y[i] = max(p<3) x[2*i+p]")
        x, dy = np.ones(7), np.arange(1.0, 4)
        (got,) = call("numpy", load(pool.source(what="vjp"), "vjp"), {"x": x, "dy": dy})
        assert not np.array_equal(got, pool.gradients({"x": x}, dy)["x"])
    else:
        assert next(wrong(), None)


def test_there_are_enough() -> None:
    assert len(MUTANTS) >= 20
