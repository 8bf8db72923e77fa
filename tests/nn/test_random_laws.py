"""Laws of every layer under random configurations, through a `Model`: no other library is asked.

    f(x)[n] = f(x[n])                                  an example does not see the others (but batch norm in training)
    f(a*x + b*z) = a*f(x) + b*f(z) + (1-a-b)*f(0)      affine layers;   <f(x) - f(0), v> = <x, dx>, dx = vjp(v)
    f(x moved by a stride) = f(x) moved by one         windows without pads

How x lies in memory does not matter, x is never changed, and what is saved is loaded.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.nn.case import arrays
from tests.nn.dice import Dice
from tests.nn.random_cases import KINDS, draw

import paperback as pb
from paperback.errors import ModelError

SEEDS = (0, 1)
EVERY = [(kind, seed) for kind in KINDS for seed in SEEDS]
AFFINE = ("Conv", "AvgPool", "FixedConv", "GlobalAvg", "Dense", "Flatten", "Unflatten", "Permute", "DCT", "BlockDCT",
          "Finite", "Grey", "Identity", "Positional", "Dropout", "BatchNorm")  # fmt: skip
LINEAR = [(kind, seed) for kind, seed in EVERY if kind.startswith(AFFINE)]
SLIDING = [f"{kind}{rank}d" for kind in ("Conv", "MaxPool", "AvgPool") for rank in (1, 2, 3)]
WINDOWS = [(kind, seed) for kind in SLIDING for seed in range(4)]


def each(pairs: list[tuple[str, int]]) -> pytest.MarkDecorator:
    """Every pair in the long suite; else every kind with one seed in two."""
    kinds = list(dict.fromkeys(kind for kind, _ in pairs))
    marks = {pair: [pytest.mark.long] if (kinds.index(pair[0]) + pair[1]) % 2 else [] for pair in pairs}
    return pytest.mark.parametrize(("kind", "seed"), [pytest.param(*pair, marks=marks[pair]) for pair in pairs])


@functools.cache
def made(kind: str, seed: int, dtype: str = "float64") -> tuple[Any, np.ndarray]:
    """A model of one configuration, with random parameters, and examples for it: at least two."""
    case = draw(kind, seed)
    model = pb.Model(case.layer, case.shape, seed=seed, dtype=dtype, engine="numpy")
    given = arrays(model.network, np.random.default_rng(seed), case.batch + 1, case.values)
    own = {**model.network.parameters, **model.network.state}
    model.set_parameters({name: given[name] for name in own if not name.startswith("fixedconv")})
    x = given["input"]
    x.flags.writeable = False  # whoever writes to it fails
    return model, x


def near(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(b).max(initial=0.0))))


@each(EVERY)
def test_an_example_does_not_see_the_others(kind: str, seed: int) -> None:
    model, x = made(kind, seed)
    y = model.predict(x)
    near(np.concatenate([model.predict(one[None]) for one in x]), y)
    near(model.predict(x, batch_size=2), y)
    order = np.random.default_rng(seed).permutation(len(x))
    near(model.predict(x[order]), y[order])


@each(EVERY)
def test_how_the_examples_lie_in_memory_does_not_matter(kind: str, seed: int) -> None:
    model, x = made(kind, seed)
    y = model.predict(x)
    assert np.array_equal(model.predict(x), y)
    spread = np.zeros((*x.shape, 2), x.dtype)
    spread[..., 0] = x
    for other in (np.asfortranarray(x), x[::-1].copy()[::-1], spread[..., 0], np.flip(np.flip(x).copy())):
        near(model.predict(other), y)


@each(EVERY)
def test_numbers_stay_in_the_precision_of_the_model(kind: str, seed: int) -> None:
    for dtype in ("float32", "float64"):
        model, x = made(kind, seed, dtype)
        y, grads = model.vjp(x, np.ones((len(x), *model.network.output_shape)))
        assert {value.dtype for value in (y, *grads.values())} == {np.dtype(dtype)}
        assert model.predict(x).dtype == dtype


@each(EVERY)
def test_training_is_prediction_where_nothing_says_otherwise(kind: str, seed: int) -> None:
    model, x = made(kind, seed)
    v = np.ones((len(x), *model.network.output_shape))
    predicted = model.predict(x)
    near(model.vjp(x, v, training=False)[0], predicted)
    if not model.network.masks and not model.network.train.updates:
        near(model.vjp(x, v, training=True)[0], predicted)


@each(EVERY)
def test_what_is_saved_is_loaded(kind: str, seed: int, tmp_path: Path) -> None:
    model, x = made(kind, seed)
    model.save(tmp_path / "model.safetensors")
    loaded = pb.load(tmp_path / "model.safetensors", engine="numpy")
    assert loaded.net == model.net and loaded.dtype == model.dtype
    assert np.array_equal(loaded.predict(x), model.predict(x))


@each(EVERY)
def test_channels_first_is_another_order_at_the_edges(kind: str, seed: int) -> None:
    model, x = made(kind, seed)
    shape = model.input_shape
    other = pb.Model(model.net, (shape[-1], *shape[:-1]), seed=seed, dtype="float64", engine="numpy", layout="NCHW")
    other.set_parameters({**model.parameters, **model.state})
    y = model.predict(x)
    turned = other.predict(np.moveaxis(x, -1, 1))
    near(turned, np.moveaxis(y, -1, 1) if y.ndim > 2 else y)


@each(EVERY)
def test_no_examples_are_refused(kind: str, seed: int) -> None:
    model, x = made(kind, seed)
    for ask in (model.predict, lambda none: model.vjp(none, np.zeros((0, *model.network.output_shape)))):
        with pytest.raises(ModelError, match="x needs at least one example, found none"):
            ask(x[:0])


@each(LINEAR)
def test_affine_layers(kind: str, seed: int) -> None:
    model, x = made(kind, seed)
    rng = np.random.default_rng(seed)
    z, zero = rng.standard_normal(x.shape), model.predict(np.zeros_like(x))
    y = model.predict(x)
    near(model.predict(2 * x - 3 * z), 2 * y - 3 * model.predict(z) + 2 * zero)
    v = rng.standard_normal(y.shape)
    dx = model.vjp(x, v)[1]["input"]
    near(np.sum(dx * x), np.sum(v * (y - zero)))


@each(WINDOWS)
def test_windows_move_with_their_input(kind: str, seed: int) -> None:
    """Without pads, an input cut by a stride gives the outputs but the first."""
    layer: Any = draw(kind, seed).layer
    changes = {"bias": bool(layer.bias)} if hasattr(layer, "bias") else {"ceil": False, "output": None}
    layer = replace(layer, padding="valid", **changes)
    dice = Dice(np.random.default_rng(seed))
    windows = layer.windows(()) if callable(layer.windows) else layer.windows
    shape = tuple(w.reach + w.stride * dice.whole(1, 3) for w in windows)
    model = pb.Model(layer, (*shape, 2 * getattr(layer, "groups", 1)), seed=seed, dtype="float64", engine="numpy")
    x = dice.rng.standard_normal((2, *model.input_shape))
    y = model.predict(x)
    for axis, window in enumerate(windows, 1):
        cut = np.delete(x, np.s_[: window.stride], axis)
        moved = pb.Model(layer, cut.shape[1:], seed=seed, dtype="float64", engine="numpy")
        moved.set_parameters(model.parameters)
        near(moved.predict(cut), np.delete(y, 0, axis))


def test_how_many_configurations_there_are() -> None:
    assert len(EVERY) >= 100 and len(LINEAR) >= 40 and len(WINDOWS) >= 36
