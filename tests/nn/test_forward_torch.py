"""Forward: every layer case against PyTorch in float64, training and inference, and the running statistics."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.nn.case import Case, arrays  # noqa: E402
from tests.nn.cases import CASES  # noqa: E402

from paperback.engines import numpy as engine  # noqa: E402
from paperback.nn.layers import BatchNorm  # noqa: E402
from paperback.nn.network import build  # noqa: E402

ONE_PHASE = [case for case in CASES if "norm" not in case.id and "dropout" not in case.id]


@pytest.mark.parametrize("case", ONE_PHASE, ids=[case.id for case in ONE_PHASE])
def test_inference_is_training_where_nothing_says_otherwise(case: Case) -> None:
    network = build(case.layer, case.shape)
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
    network = build(case.layer, case.shape)
    given = arrays(network, rng, 3)
    flipped = engine.compile(network.train, dtype="float64")(given)[network.output]
    given["conv2d_1.w"] = given["conv2d_1.w"][::-1, ::-1].copy()
    assert not np.allclose(engine.compile(network.train, dtype="float64")(given)[network.output], flipped)
