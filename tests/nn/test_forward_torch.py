"""Forward: every layer case against PyTorch in float64, training and inference, and the running statistics."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.nn.case import Case, arrays, distinct  # noqa: E402
from tests.nn.cases import CASES, batch_norm  # noqa: E402

from paperback.engines import numpy as engine  # noqa: E402
from paperback.nn.layers import BatchNorm  # noqa: E402
from paperback.nn.network import build  # noqa: E402


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60
    assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_training_forward_is_pytorchs(case: Case) -> None:
    rng = np.random.default_rng(zlib.crc32(case.id.encode()))
    layer, shape = case.make(rng)
    network = build(layer, shape)
    given = arrays(network, rng, case.batch)
    result = engine.compile(network.train, dtype="float64")(given)[network.output]
    tensors = {name: torch.from_numpy(np.asarray(value)) for name, value in given.items()}
    expected = case.reference(layer, tensors["input"], tensors).numpy()
    assert result.shape == (case.batch, *network.output_shape) == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-11, atol=1e-11)


ONE_PHASE = [case for case in CASES if "norm" not in case.id and "dropout" not in case.id]


@pytest.mark.parametrize("case", ONE_PHASE, ids=[case.id for case in ONE_PHASE])
def test_inference_is_training_where_nothing_says_otherwise(case: Case) -> None:
    network = build(*case.make(np.random.default_rng(1)))
    given = arrays(network, np.random.default_rng(2), case.batch)
    phases = (network.train, network.predict)
    train, predict = (engine.compile(phase, dtype="float64")(given)[network.output] for phase in phases)
    assert np.array_equal(train, predict)


@pytest.mark.parametrize(("shape", "batch"), [((5,), 3), ((2, 3), 3), ((2, 3, 5), 3), ((2, 3, 5), 1)])
def test_batch_norm_keeps_pytorchs_running_statistics(shape: tuple[int, ...], batch: int) -> None:
    rng = np.random.default_rng(5)
    layer = BatchNorm(momentum=0.25, eps=0.5)
    network = build(layer, shape)
    given = arrays(network, rng, batch)
    result = engine.compile(network.train, dtype="float64")(given)
    names = ("input", "batchnorm_1.mean", "batchnorm_1.var", "batchnorm_1.scale", "batchnorm_1.shift")
    x, mean, var, scale, shift = (torch.from_numpy(np.array(given[name])) for name in names)
    x = x.movedim(-1, 1)
    predicted = torch.nn.functional.batch_norm(x, mean, var, scale, shift, False, 0.25, 0.5).movedim(1, -1)
    np.testing.assert_allclose(
        engine.compile(network.predict, dtype="float64")(given)["batchnorm_1.y"], predicted, rtol=1e-12, atol=1e-12
    )
    torch.nn.functional.batch_norm(x, mean, var, scale, shift, True, 0.25, 0.5)  # updates mean and var
    np.testing.assert_allclose(result["batchnorm_1.mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(result["batchnorm_1.var"], var, rtol=1e-12)


def test_a_planted_mutant_is_caught() -> None:
    """The comparison can fail: an unflipped kernel is not a flipped one."""
    case = next(case for case in CASES if case.id == "conv2d-flip")
    rng = np.random.default_rng(0)
    layer, shape = case.make(rng)
    network = build(layer, shape)
    given = arrays(network, rng, 3)
    flipped = engine.compile(network.train, dtype="float64")(given)[network.output]
    given["conv2d_1.w"] = given["conv2d_1.w"][::-1, ::-1].copy()
    assert not np.allclose(engine.compile(network.train, dtype="float64")(given)[network.output], flipped)


def test_the_batch_norm_reference_is_a_batch_norm() -> None:
    x = torch.from_numpy(distinct(np.random.default_rng(0), (3, 2, 5)))
    y = batch_norm(BatchNorm(eps=1e-12), x, {"batchnorm_1.scale": torch.ones(5).double(), "batchnorm_1.shift": None})
    np.testing.assert_allclose(y.mean(dim=(0, 1)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(dim=(0, 1), unbiased=False), 1, rtol=1e-9)
