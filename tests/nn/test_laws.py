"""The laws of layers: gradients, adjointness, exactness, purity; for every case and for random configurations.

Referees of different nature: PyTorch's autograd, central differences of the forward, and exact rational arithmetic.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.nn.case import Case, arrays, conv, dense  # noqa: E402
from tests.nn.cases import CASES, avg_pool, max_pool, random_conv1d, random_conv2d  # noqa: E402

from paperback.engines import compile_program  # noqa: E402
from paperback.nn import AvgPool2d, Conv2d, Dense, Flatten, Layer, MaxPool2d, Sequential, Tanh  # noqa: E402
from paperback.nn.network import Network, build  # noqa: E402
from paperback.program.backward import gradients, prune  # noqa: E402

SEED = "seed"


def pick(rng: np.random.Generator, *values: Any) -> Any:
    return values[rng.integers(len(values))]


def random_pool(kind: type) -> Any:
    def make(rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
        window = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        shape = tuple(int(n) for n in rng.integers(5, 10, 2))
        return kind(window, stride), (*shape, pick(rng, 1, 2, 3))

    return make


def random_dense(rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    return Dense(int(rng.integers(1, 6)), bias=bool(rng.integers(2))), (int(rng.integers(1, 8)),)


def random_net(rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    first = Conv2d(pick(rng, 2, 3), (pick(rng, 1, 2, 3), 2), pick(rng, 1, 2), pick(rng, "same", 1, "valid"))
    net = Sequential(first, Tanh(), pick(rng, MaxPool2d, AvgPool2d)(2), Flatten(), Dense(pick(rng, 2, 4)))
    return net, (pick(rng, 6, 7, 9), pick(rng, 5, 8), pick(rng, 1, 2))


def net_reference(layer: Any, x: Any, p: Mapping[str, Any]) -> Any:
    x = torch.tanh(conv(layer.layers[0], x, p))
    x = (max_pool if isinstance(layer.layers[2], MaxPool2d) else avg_pool)(layer.layers[2], x, p)
    return dense(layer.layers[4], x.reshape(len(x), -1), p)


RANDOM = [
    *(Case(f"random-conv2d-{n}", random_conv2d, conv, pick(np.random.default_rng(n), 1, 2, 3)) for n in range(60)),
    *(Case(f"random-conv1d-{n}", random_conv1d, conv) for n in range(25)),
    *(Case(f"random-maxpool-{n}", random_pool(MaxPool2d), max_pool) for n in range(25)),
    *(Case(f"random-avgpool-{n}", random_pool(AvgPool2d), avg_pool) for n in range(20)),
    *(Case(f"random-dense-{n}", random_dense, dense) for n in range(10)),
    *(Case(f"random-net-{n}", random_net, net_reference) for n in range(20)),
]
ALL = [*CASES, *RANDOM]


class Sample:
    """A case made: its network, inputs, a cotangent, and the program that gives output and gradients."""

    def __init__(self, case: Case) -> None:
        rng = np.random.default_rng(zlib.crc32(case.id.encode()))
        self.layer, shape = case.make(rng)
        self.network: Network = build(self.layer, shape)
        self.given = arrays(self.network, rng, case.batch)
        ids = self.network.train.tensors["input"].integer  # an id has no derivative
        self.wrt = [*([] if ids else ["input"]), *self.network.parameters]
        program, self.held = gradients(self.network.train, self.network.output, self.wrt, cotangent=SEED)
        outputs = tuple(dict.fromkeys((self.network.output, *self.held.values())))
        self.program = prune(replace(program, outputs=outputs, updates={}))
        self.cotangent = rng.integers(-8, 9, (case.batch, *self.network.output_shape)) / 8

    def run(self, given: Mapping[str, Any], engine: str = "numpy", dtype: str = "float64") -> dict[str, Any]:
        seeded = {**given, SEED: self.cotangent}
        needed = {tensor.name for tensor in self.program.inputs}
        return compile_program(self.program, dtype, engine)({k: v for k, v in seeded.items() if k in needed})

    def gradients(self, given: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        result = self.run(given, **options)
        return {name: result[self.held[name]] for name in self.wrt}

    def forward(self, given: Mapping[str, Any]) -> np.ndarray:
        program = prune(replace(self.network.train, updates={}))
        needed = {tensor.name for tensor in program.inputs}
        return compile_program(program, "float64", "numpy")({k: v for k, v in given.items() if k in needed})[
            self.network.output
        ]


def test_there_are_at_least_200_configurations() -> None:
    assert len(ALL) >= 200
    assert len({case.id for case in ALL}) == len(ALL)


@pytest.mark.parametrize("case", ALL, ids=[case.id for case in ALL])
def test_forward_and_all_gradients_are_pytorchs(case: Case) -> None:
    sample = Sample(case)
    tensors = {
        name: torch.tensor(np.asarray(value), requires_grad=name in sample.wrt) for name, value in sample.given.items()
    }
    expected = case.reference(sample.layer, tensors["input"], tensors)
    expected.backward(torch.from_numpy(sample.cotangent))
    result = sample.run(sample.given)
    np.testing.assert_allclose(result[sample.network.output], expected.detach().numpy(), rtol=1e-11, atol=1e-11)
    for name in sample.wrt:
        theirs = tensors[name].grad
        theirs = np.zeros(tensors[name].shape) if theirs is None else theirs.numpy()
        np.testing.assert_allclose(result[sample.held[name]], theirs, rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_gradients_are_differences_of_the_forward(case: Case) -> None:
    """<g, (f(x + h v) - f(x - h v)) / 2h> = <gradient, v> for a random direction v in all inputs at once."""
    sample = Sample(case)
    rng = np.random.default_rng(7)
    directions = {name: rng.standard_normal(np.shape(sample.given[name])) for name in sample.wrt}
    h = 1e-6

    def moved(sign: int) -> np.ndarray:
        return sample.forward({**sample.given, **{n: sample.given[n] + sign * h * v for n, v in directions.items()}})

    difference = np.sum(sample.cotangent * (moved(1) - moved(-1)) / (2 * h))
    grads = sample.gradients(sample.given)
    product = sum(np.sum(grads[name] * v) for name, v in directions.items())
    assert abs(difference - product) <= 1e-6 * (1 + abs(difference))


SLOW_EXACTLY = ("norm", "random", "dropout", "same-dil", "overlap")
RATIONAL = [case for case in CASES if not any(word in case.id for word in SLOW_EXACTLY)]


@pytest.mark.parametrize("case", RATIONAL, ids=[case.id for case in RATIONAL])
def test_numpy_is_the_exact_engine_up_to_rounding(case: Case) -> None:
    sample = Sample(case)
    exact, floats = sample.run(sample.given, engine="exact"), sample.run(sample.given)
    checked = 0
    for name, value in floats.items():
        flat = np.asarray(exact[name], dtype=object).ravel()
        for got, true in zip(value.ravel(), flat, strict=True):
            checked += 1
            low, high = (true, true) if isinstance(true, Fraction) else (true.lower, true.upper)
            slack = Fraction(1, 10**12) * (1 + abs(high))
            assert low - slack <= Fraction(float(got)) <= high + slack, name
    assert checked > 0


@pytest.mark.parametrize("case", CASES[:: len(CASES) // 25], ids=[c.id for c in CASES[:: len(CASES) // 25]])
def test_runs_are_pure_and_layout_does_not_matter(case: Case) -> None:
    sample = Sample(case)
    first = sample.run(sample.given)
    for value in sample.given.values():
        np.asarray(value).flags.writeable = False
    again = sample.run(sample.given)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    strided = {
        name: np.repeat(v[..., None], 2, axis=-1)[..., 0] if v.ndim else v for name, v in sample.given.items()
    }
    reversed_ = {name: v[::-1].copy()[::-1] if v.ndim else v for name, v in sample.given.items()}
    for variant in (strided, reversed_):
        other = sample.run(variant)
        assert all(np.allclose(first[name], other[name], rtol=1e-13, atol=1e-13) for name in first)


@pytest.mark.parametrize("case", CASES[:: len(CASES) // 25], ids=[c.id for c in CASES[:: len(CASES) // 25]])
def test_float32_errs_no_more_than_twice_pytorchs_float32(case: Case) -> None:
    sample = Sample(case)
    single = sample.run(sample.given, dtype="float32")
    double = sample.run(sample.given)
    tensors = {
        name: torch.tensor(np.asarray(v, np.float32), requires_grad=name in sample.wrt)
        for name, v in sample.given.items()
    }
    theirs = case.reference(sample.layer, tensors["input"], tensors)
    theirs.backward(torch.from_numpy(sample.cotangent.astype(np.float32)))
    pairs = [(sample.network.output, theirs.detach())]
    pairs += [(sample.held[n], tensors[n].grad) for n in sample.wrt if tensors[n].grad is not None]
    for name, other in pairs:
        truth = double[name]
        scale = np.abs(truth).max() if truth.size else 0.0
        error = np.abs(single[name] - truth).max(initial=0.0)
        reference = np.abs(other.numpy() - truth).max(initial=0.0)
        assert error <= 2 * max(reference, 16 * np.finfo(np.float32).eps * scale), name
