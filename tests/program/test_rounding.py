"""Rounding bounds against what rounding does: float32 runs beside exact and float64 ones, on every engine."""

from __future__ import annotations

import numpy as np
import pytest
from tests.rewrites.networks import model_of

import paperback as pb
from paperback import nn
from paperback.engines import compile_program
from paperback.program import rounding
from paperback.program.rounding import error_name, rounding_program
from paperback.rewrites.certificate import output_bound

S = nn.Sequential
NETS: list[tuple[nn.Layer, tuple[int, ...]]] = [
    (S(nn.Dense(20), nn.ReLU(), nn.Dense(5)), (30,)),
    (S(nn.Dense(20), nn.Sigmoid(), nn.Dense(5), nn.Softmax()), (30,)),
    (S(nn.Conv2d(8, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(10)), (8, 8, 1)),
    (S(nn.Conv2d(4, 3), nn.BatchNorm(), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Dense(5)), (8, 8, 2)),
    (S(nn.Residual(nn.Conv1d(2, 3, padding="same"), nn.GELU()), nn.Flatten(), nn.LayerNorm(), nn.LogSoftmax()), (9, 2)),
    (S(nn.MaxPool2d(3, 2, padding=1), nn.ELU(), nn.LeakyReLU(), nn.HardTanh(), nn.Flatten(), nn.Softplus()), (9, 9, 1)),
    (S(nn.Conv2d(4, 3, stride=2, groups=2, flip=True, bias="position"), nn.SiLU(), nn.Flatten()), (9, 7, 2)),
    (S(nn.Embedding(7, 4), nn.MultiHeadAttention(2), nn.GlobalAvgPool(), nn.Dense(3)), (5,)),
    (S(nn.DCT2d(), nn.Flatten(), nn.Dense(3)), (6, 5, 1)),
    (S(nn.Dense(9), nn.Step(), nn.Dense(3)), (6,)),
]  # fmt: skip


def examples(model: pb.Model, count: int = 40) -> np.ndarray:
    random = np.random.default_rng(0)
    if model.network.train.tensors["input"].integer:
        return random.integers(0, 7, (count, *model.input_shape))
    return random.standard_normal((count, *model.input_shape)).astype(np.float32)


def measured(model: pb.Model, x: np.ndarray, engine: str) -> np.ndarray:
    """|float32 - float64| of the same network with the same (float32) numbers."""
    twins = [pb.Model(model.net, model.input_shape, dtype=dtype, engine=engine) for dtype in ("float32", "float64")]
    for twin in twins:
        twin.set_parameters({**model.parameters, **model.state})
    low, high = (np.asarray(twin.predict(x), dtype=np.float64) for twin in twins)
    return np.abs(low - high)


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize(("net", "shape"), NETS)
def test_rounding_stays_within_its_bound(net: nn.Layer, shape: tuple[int, ...], engine: str) -> None:
    model = model_of(net, shape)
    x = examples(model)
    bound = output_bound(model, x)
    assert bound is not None and np.isfinite(bound).all()
    off = measured(model, x, engine)
    assert off.shape == bound.shape and (off <= bound).all()
    assert bound.max() < 0.5  # and says something


def test_the_bound_is_near_where_nothing_is_lost() -> None:
    """Of one sum of positive numbers the bound is the worst case: a run that rounds one way comes near to it."""
    n = 512
    model = pb.Model(nn.Dense(1, bias=False), (n,))
    tiny = float(2.0**-24)
    x = np.full((1, n), tiny, dtype=np.float32)
    x[0, 0] = 1.0
    model.set_parameters({"dense_1.w": np.ones((n, 1))})
    bound = output_bound(model, x)
    assert bound is not None and (n - 1) * tiny <= bound[0, 0] < 2.2 * n * tiny


def test_a_bound_that_is_too_small_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutants: a unit of float64, sums that do not count their terms, functions that are exact."""
    model = model_of(*NETS[2])
    x = examples(model)
    off = measured(model, x, "numpy")
    caught = 0
    for name, value in (("UNIT", {"float32": rounding.UNIT["float64"]}), ("_ROOM", -1)):
        with monkeypatch.context() as patch:
            patch.setattr(rounding, name, value)
            bound = output_bound(model, x)
            caught += bound is None or not (off <= bound).all()
    assert caught == 2


def test_parameters_that_are_rounded_count() -> None:
    model = model_of(*NETS[0])
    x = examples(model)
    exact, rounded = output_bound(model, x), output_bound(model, x, rounded_parameters=True)
    assert exact is not None and rounded is not None and (rounded > exact).all()


def test_what_rounds_nothing_has_no_companion() -> None:
    """Other axes and powers of two are exact."""
    model = pb.Model(S(nn.Formula("y = x[]/4"), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()), (4, 4, 1))
    program = rounding_program(model.network.predict, "float32")
    assert program.outputs == (model.network.output,)
    assert (output_bound(model, examples(model)) == 0).all()


def test_a_comparison_of_data_has_no_bound() -> None:
    model = pb.Model(nn.Formula("y[i] = [x[i] > 1/2]*x[i]"), (4,))
    with pytest.raises(pb.ModelError, match="compares data"):
        rounding_program(model.network.predict, "float32")
    assert output_bound(model, np.zeros((1, 4))) is None


def test_the_program_runs_on_any_engine() -> None:
    model = model_of(*NETS[0])
    program = rounding_program(model.network.predict, "float32")
    x = examples(model, 3)
    given = {name: np.asarray(a, dtype=np.float64) for name, a in {**model.parameters, "input": x}.items()}
    name = error_name(model.network.output)
    results = [compile_program(program, "float64", engine)(given)[name] for engine in ("numpy", "llvm")]
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)
