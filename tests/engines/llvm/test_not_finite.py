"""NaN, infinity, -0.0, ties and wrong indices: what comes out, and what is said, is what NumPy's engine does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from tests.engines.llvm.random_steps import Step, draw_step

import paperback as pb
from paperback import engines
from paperback.engines import compile_program
from paperback.errors import EngineError
from paperback.nn.losses import LABEL
from paperback.nn.network import INPUT

Arrays = dict[str, Any]


def both(text: str, dtype: str = "float64", **arrays: Any) -> tuple[np.ndarray, np.ndarray]:
    """A formula's value on NumPy and compiled."""
    block = pb.formula(text).block
    given = {name: a if np.asarray(a).dtype.kind == "i" else np.asarray(a, dtype) for name, a in arrays.items()}
    with np.errstate(all="ignore"):
        first = engines.run(block, given, {}, "numpy")[block.result.target]
    return first, engines.run(block, given, {}, "llvm")[block.result.target]


def same_kind(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-4) -> None:
    """NaN where NaN is, the same infinities, and finite numbers near."""
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * finite_size(expected))


def finite_size(array: np.ndarray) -> float:
    return float(np.abs(array, where=np.isfinite(array), out=np.zeros_like(array)).max(initial=1.0))


SPECIAL = np.array([0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan, 1e-310, 3e38, -3e38, 88.0, -88.0, 0.5, 1.0, -1.0])
FUNCTIONS = (
    "exp(x[i])", "log(x[i])", "sqrt(x[i])", "tanh(x[i])", "sigmoid(x[i])", "softplus(x[i])", "relu(x[i])", "abs(x[i])",
    "sign(x[i])", "step(x[i])", "max(x[i], 1/3)", "min(x[i], 1/3)", "max(1/3, x[i])", "min(0, x[i])", "x[i]^2",
    "x[i]^(-1)", "x[i]^(1/2)", "1/x[i]", "x[i] - x[i]", "[x[i] > 0]*x[i]", "[x[i] >= 0]", "[x[i] == x[i]]", "x[i]*0",
    "expm1(x[i])", "log1p(x[i])", "erf(x[i])", "sin(x[i])", "cos(x[i])", "[x[i] != 1]*x[i]", "-x[i]",
)  # fmt: skip
REDUCTIONS = ("sum", "max", "min", "logsumexp", "argmax", "argmin")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_of_special_numbers(dtype: str) -> None:
    for body in FUNCTIONS:
        for length in (1, len(SPECIAL), 37):
            x = np.resize(SPECIAL, length)
            expected, found = both(f"y[i] = {body}", dtype, x=x)
            same_kind(found, expected, 1e-5)
            zero = (expected == 0) & (np.abs(np.resize(x, expected.shape)) < 1)
            if body in ("abs(x[i])", "-x[i]", "tanh(x[i])", "expm1(x[i])"):  # relu(-0.0) may be either zero
                assert np.array_equal(np.signbit(found[zero]), np.signbit(expected[zero])), body
    assert len(FUNCTIONS) >= 30


@pytest.mark.parametrize("op", REDUCTIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_reductions_of_special_numbers(op: str) -> None:
    """One special number in every place of rows of several lengths; two of them; rows of nothing else."""
    ran = 0
    for dtype, length in (("float32", 1), ("float64", 5), ("float32", 19), ("float64", 33)):
        rng = np.random.default_rng(length)
        rows = []
        for special in (np.nan, np.inf, -np.inf, 0.0, -0.0):
            for place in range(length):
                row = rng.integers(-3, 4, length) / 2
                row[place] = special
                rows.append(row)
                other = row.copy()
                other[length // 2] = -special
                rows.append(other)
            rows.append(np.full(length, special))
        x = np.array(rows)
        for text in (f"y[n] = {op}(i) x[n,i]", f"y[n] = {op}(i) z[i,n]", f"y[n] = {op}(i | x[n,i] > -1) x[n,i]"):
            if "|" in text and op in ("logsumexp", "argmax", "argmin"):
                continue
            expected, found = both(text, dtype, **({"z": x.T} if "z[" in text else {"x": x}))
            same_kind(found, expected, 1e-5)
            ran += len(rows)
    assert ran > 500


def test_the_first_of_ties_wins() -> None:
    rng = np.random.default_rng(1)
    for length in (2, 8, 17):
        x = rng.integers(0, 3, (50, length)).astype(float)
        for op, best in (("argmax", x.argmax(1)), ("argmin", x.argmin(1))):
            for text, given in ((f"y[n] = {op}(i) x[n,i]", {"x": x}), (f"y[n] = {op}(i) z[i,n]", {"z": x.T})):
                assert np.array_equal(both(text, **given)[1], best)


def planted(step: Step, value: float, rng: np.random.Generator) -> Arrays:
    """The step's arrays with this number in a few places of the input and of one parameter."""
    given = {name: array.copy() for name, array in step.given.items()}
    for name in (INPUT, next(iter(step.network.parameters))):
        if given[name].dtype.kind == "f" and rng.integers(2):
            given[name].flat[rng.integers(given[name].size)] = value
    return given


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_networks_pass_on_what_is_not_finite() -> None:
    """The output and the loss; what follows from NaN in a maximum's position is nobody's to say."""
    rng = np.random.default_rng(3)
    seen = 0
    for seed in range(8):
        step = draw_step(seed, tiny=seed < 6)
        program = step.network.predict
        runner = compile_program(program, "float64", "llvm")
        for value in (np.nan, np.inf, -np.inf):
            given = planted(step, value, rng)
            arrays = {t.name: given[t.name] for t in program.inputs}
            expected = compile_program(program, "float64", "numpy")(arrays)[step.network.output]
            found = runner(arrays)[step.network.output]
            assert np.array_equal(np.isnan(found), np.isnan(expected)), f"{step}: {value}"
            same_kind(found, expected)
            seen += not np.isfinite(expected).all()
    assert seen >= 5


WRONG = (3, 99, -1, -4, 2**31, -(2**31) - 1, 2**62, -(2**63))


def test_labels_out_of_range_are_refused_as_numpy_refuses_them() -> None:
    net = pb.nn.Sequential(pb.nn.Dense(5), pb.nn.ReLU(), pb.nn.Dense(3))
    model = pb.Model(net, (4,), dtype="float64", engine="llvm")
    program = model.program(optimizer=pb.optim.SGD(0.1))
    fast, slow = (compile_program(program, "float64", engine) for engine in ("llvm", "numpy"))
    for place, bad in enumerate(WRONG):
        x, y = np.ones((11, 4)), np.arange(11) % 3
        y[place] = bad
        given = {**model.parameters, INPUT: x, LABEL: y, "lr": 0.1}
        before = {name: np.array(value) for name, value in given.items()}
        said = []
        for runner in (slow, fast):
            with pytest.raises(EngineError) as error:
                runner(given)
            said.append(str(error.value))
        assert said[0] == said[1] and f"index {bad} at n = {place}" in said[0]
        assert all(np.array_equal(before[name], value) for name, value in given.items())
        good = fast({**given, LABEL: np.arange(11) % 3})
        assert np.isfinite(good["loss"]), "the next batch is not to blame"


def test_gathers_out_of_range_are_refused_as_numpy_refuses_them() -> None:
    for text, ids in (
        ("y[t,d] = E[id[t],d] where E: 3 7, id: T, id int", (9,)),
        ("y[t] = sum(d) E[id[t],d]*w[d] where E: 3 7, id: T, id int", (9,)),
        ("y[t] = max(j) E[id[t,j]] where E: 3, id: T 4, id int", (9, 4)),
        ("y[t] = sum(j<4) ([j < 2]*E[id[t,j]]) where E: 3, id: T 4, id int", (9, 4)),
    ):
        block = pb.formula(text).block
        shapes = {"E": (3, 7) if "7" in text else (3,), "w": (7,)}
        arrays: Arrays = {n: np.ones(s) for n, s in shapes.items() if n in block.inputs}
        for bad in WRONG:
            index = np.zeros(ids, dtype=int)
            index[(5, *[1] * (len(ids) - 1))] = bad
            said = []
            for engine in ("numpy", "llvm"):
                with pytest.raises(EngineError) as error:
                    engines.run(block, {**arrays, "id": index}, {}, engine)
                said.append(str(error.value))
            assert said[0] == said[1], text
    index = np.zeros((9, 4), dtype=int)
    index[5, 3] = 99  # behind a bracket that is false
    expected, found = both(text, E=np.ones(3), id=index)
    assert np.array_equal(found, expected)


def test_new_values_that_are_not_finite_are_reported() -> None:
    """In whichever place: training looks no further where nothing is reported."""
    net = pb.nn.Sequential(pb.nn.Dense(13), pb.nn.Dense(3))
    model = pb.Model(net, (5,), dtype="float64", engine="llvm")
    program = model.program("mean_squared_error", pb.optim.SGD(0.1), label="real")
    run: Any = compile_program(program, "float64", "llvm")
    given = {**model.parameters, INPUT: np.ones((4, 5)), LABEL: np.ones((4, 3)), "lr": 0.1}
    assert run(given).finite
    for name, array in model.parameters.items():
        for place in range(0, array.size, 3):
            for value in (np.nan, np.inf, -np.inf):
                wrong = array.copy()
                wrong.flat[place] = value
                assert not run({**given, name: wrong}).finite
    assert run(given).finite
