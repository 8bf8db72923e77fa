"""Mistakes that a plain configuration of a layer does not show, and that random configurations do.

A mutant replaces one function of the package. A plain configuration still agrees with PyTorch; of the random ones of
the long suite, at least one must not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

pytest.importorskip("torch")

from tests.nn.case import Case
from tests.nn.test_random_layers import MANY, check_case, run
from tests.test_mutants import find

from paperback.calculus.conventions import Conventions
from paperback.nn import (
    ELU,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    DCT2d,
    Dropout,
    GroupNorm,
    HardTanh,
    LayerNorm,
    LeakyReLU,
    MaxPool2d,
    MultiHeadAttention,
    ReLU,
)  # fmt: skip

LAYERS = "paperback.nn.layers"
Change = Callable[[Any], Any]


@dataclass(frozen=True)
class Mutant:
    """`place` is "module:Class.name"; `kind` the layer whose random configurations must tell, `plain` what does not."""

    id: str
    place: str
    make: Change
    kind: str
    plain: Case


def text_of(change: Callable[[str], str]) -> Change:
    """A layer's `text` with another formula."""

    def make(original: Any) -> Any:
        def text(self: Any, shape: Any) -> Any:
            made = original(self, shape)
            return replace(made, formula=change(made.formula))

        return text

    return make


def formula_of(change: Callable[[str], str]) -> Change:
    return lambda original: property(lambda self: change(original.fget(self)))


def constants(**values: float) -> Change:
    return lambda original: property(lambda self: values)


def conventions(**values: Any) -> Change:
    return lambda original: property(lambda self: Conventions(**values))


def same_without_stride(original: Any) -> Any:
    return lambda self, n: original(replace(self, stride=1) if self.padding == "same" else self, n)


def odd_one_on_the_left(original: Any) -> Any:
    return lambda self, n: original(self, n)[::-1] if self.padding == "same" else original(self, n)


def full_without_dilation(original: Any) -> Any:
    return lambda self, n: (self.size - 1,) * 2 if self.padding == "full" else original(self, n)


def swapped_pairs(original: Any) -> Any:
    return lambda self, n: original(self, n)[::-1] if isinstance(self.padding, tuple) else original(self, n)


def stride_forgotten(original: Any) -> Any:
    return lambda self, *at: original(replace(self, stride=1), *at)


CONV = Case("plain", Conv2d(3, 3, padding="same"), (5, 6, 2))
POOL = Case("plain", MaxPool2d(2), (4, 6, 2))
MEAN = Case("plain", AvgPool2d(2), (4, 6, 2))
HEADS = Case("plain", MultiHeadAttention(1), (3, 4))
PADS, INDEX = f"{LAYERS}.window:Window.pads", f"{LAYERS}.window:Window.index"

MUTANTS = [
    Mutant('"same" forgets the stride', PADS, same_without_stride, "Conv2d", CONV),
    Mutant('the odd one of "same" on the left', PADS, odd_one_on_the_left, "Conv2d", CONV),
    Mutant('"full" forgets the dilation', PADS, full_without_dilation, "Conv2d",
           Case("plain", Conv2d(2, 2, padding="full"), (3, 4, 2))),
    Mutant("pairs of pads swapped", PADS, swapped_pairs, "Conv1d", Case("plain", Conv2d(2, 2, padding=1), (3, 4, 2))),
    Mutant("no output padding", f"{LAYERS}.transpose:TransposedConvolution.extra",
           lambda f: property(lambda self: (0,) * self.rank), "ConvTranspose1d",
           Case("plain", ConvTranspose2d(2, 3, 2, 1), (3, 4, 2))),
    Mutant("the stride forgotten", INDEX, stride_forgotten, "Conv3d", CONV),
    Mutant("groups are not flipped", f"{LAYERS}.conv:correlation",
           lambda f: lambda axes, shape, flip, grouped=False: f(axes, shape, flip and not grouped, grouped), "Conv2d",
           Case("plain", Conv2d(3, 2, flip=True), (4, 5, 2))),
    Mutant("a window of its own for any rest", f"{LAYERS}.window:Window.count_with_rest",
           lambda f: lambda self, n: -(-(n + sum(self.pads(n)) - self.reach) // self.stride) + 1, "AvgPool2d",
           Case("plain", AvgPool2d(2, ceil=True), (5, 6, 2))),
    Mutant("maxima padded by 0", f"{LAYERS}.pool:MaximumPooling.pooled",
           lambda f: lambda self, *parts: f(self, *parts).replace("pads -inf", "pads 0"), "MaxPool2d", POOL),
    Mutant("means over the pads too", f"{LAYERS}.pool:AveragePooling.pooled",
           lambda f: lambda self, taps, *rest: f(self, taps, *rest).replace("[0 <= ", "[0 <= 1 + "), "AvgPool1d", MEAN),
    Mutant("split is all", f"{LAYERS}.pool:MaximumPooling.conventions", conventions(ties="all"), "MaxPool2d", POOL),
    Mutant("of equal maxima all", f"{LAYERS}.reduce:GlobalMaxPool.conventions", conventions(ties="all"),
           "GlobalMaxPool", POOL),
    Mutant("groups interleaved", f"{LAYERS}.norm:GroupNorm.text",
           text_of(lambda t: t.replace("R*g+r", "G*r+g")), "GroupNorm", Case("plain", GroupNorm(1), (3, 4))),
    Mutant("a norm's eps is 1e-5", f"{LAYERS}.norm:Normalisation.constants", constants(eps=1e-5), "LayerNorm",
           Case("plain", LayerNorm(), (3, 5))),
    Mutant("batch norm's eps is 1e-5", f"{LAYERS}.batchnorm:BatchNorm.constants", constants(eps=1e-5, momentum=0.1),
           "BatchNorm", Case("plain", BatchNorm(), (3, 5))),
    Mutant("attention scaled by all features", f"{LAYERS}.sequence:MultiHeadAttention.formula",
           formula_of(lambda t: t.replace("sqrt(D)", "sqrt(E)")), "MultiHeadAttention", HEADS),
    Mutant("a glance ahead", f"{LAYERS}.sequence:MultiHeadAttention.formula",
           formula_of(lambda t: t.replace("u <= t", "u <= t+1")), "MultiHeadAttention", HEADS),
    Mutant("one length for rows and columns", f"{LAYERS}.dct:DCT2d.formula",
           formula_of(lambda t: t.replace("(2/W)", "(2/H)")), "DCT2d", Case("plain", DCT2d(), (3, 3, 2))),
    Mutant("a slope above 1 is another kink", f"{LAYERS}.activations:LeakyReLU.formula",
           formula_of(lambda t: t.replace("min", "max")), "LeakyReLU", Case("plain", LeakyReLU(), (3, 5))),
    Mutant("limits are symmetric", f"{LAYERS}.activations:HardTanh.formula",
           lambda f: "y = min(high, max(-high, x[]))", "HardTanh", Case("plain", HardTanh(), (3, 5))),
    Mutant("alpha is 1", f"{LAYERS}.activations:ELU.constants", constants(alpha=1.0), "ELU",
           Case("plain", ELU(), (3, 5))),
    Mutant("the slope at 0 is 0", f"{LAYERS}.activations:ReLU.conventions", conventions(relu_at_zero=0), "ReLU",
           Case("plain", ReLU(), (3, 5))),
    Mutant("kept and left out exchanged", f"{LAYERS}.dropout:Dropout.constants",
           lambda f: property(lambda self: {"keep": self.rate or 1.0}), "Dropout",
           Case("plain", Dropout(0.5), (3, 5))),
    Mutant("class weights forgotten", "tests.nn.random_losses:softmax_cross_entropy",
           lambda f: lambda smoothing, weights: f(smoothing), "softmax_cross_entropy(...)", CONV),
    Mutant("delta is 1", "tests.nn.random_losses:huber", lambda f: lambda delta: f(), "huber(...)", CONV),
    Mutant("the sum of entries is their mean", "tests.nn.test_random_layers:attach",
           lambda f: lambda program, z, loss, *more: f(program, z, replace(loss, entries="mean"), *more),
           "mean_squared_error", CONV),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.id for mutant in MUTANTS])
def test_only_random_configurations_tell(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERBACK_CACHE", "off")  # code is kept by what a program is made of
    owner, name = find(mutant.place)
    original = vars(owner).get(name, getattr(owner, name, None)) if isinstance(owner, type) else getattr(owner, name)
    monkeypatch.setattr(owner, name, mutant.make(original), raising=False)
    check_case(mutant.plain)
    with pytest.raises(AssertionError, match="repeat with"):
        run(mutant.kind, range(MANY))


def test_there_are_at_least_15_mutants() -> None:
    assert len({mutant.id for mutant in MUTANTS}) == len(MUTANTS) >= 15
