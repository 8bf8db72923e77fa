"""Random formulas, numbers that are not finite, ties, float32 and maxima of nothing, as the engines compute them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.calculus.formulas import CASES
from tests.calculus.random_formulas import Drawn, Generator
from tests.engines.emit.running import Arrays, call, load, needs
from tests.engines.emit.test_formulas import arrays_of

import paperback as pb
from paperback.engines.emit import TARGETS
from paperback.errors import EngineError

FEW, MANY = 60, 1500


def drawn(seed: int) -> tuple[Drawn, pb.Formula, Arrays]:
    """A random formula with arrays that are away from most kinks."""
    drawn, rng = Generator(seed).draw(), np.random.default_rng(seed)
    formula = pb.formula(drawn.text)
    arrays = {
        name: rng.integers(0, drawn.integers[name], [axis.value for axis in tensor.axes])
        if name in drawn.integers
        else np.asarray(rng.integers(-7, 8, [axis.value for axis in tensor.axes]) / 8 + 1 / 64)
        for name, tensor in formula.block.inputs.items()
    }
    return drawn, formula, arrays


def check(seed: int, target: str) -> int:
    """How many arrays were compared."""
    case, formula, given = drawn(seed)
    rng = np.random.default_rng(seed)
    right = formula(**given)
    pairs = [(*call(target, load(formula.source(target), "forward"), given), right)]
    floats = [name for name in formula.block.inputs if name not in case.integers]
    if floats and np.isfinite(right).all():
        cotangent = rng.standard_normal(right.shape)
        gradients = call(target, load(formula.source(target, "vjp"), "vjp"), {**given, "dy": cotangent})
        pairs += zip(gradients, formula.gradients(given, cotangent).values(), strict=True)
        tangents = {f"d{name}": rng.standard_normal(given[name].shape) for name in floats}
        moved = call(target, load(formula.source(target, "jvp"), "jvp"), {**given, **tangents})
        pairs.append((*moved, formula.jvp()(**given, **tangents)))
    for got, want in pairs:
        assert got.shape == np.shape(want), case.text
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-9, err_msg=case.text)
    return len(pairs)


@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_random_formulas(target: str) -> None:
    needs(target)
    assert sum(check(seed, target) for seed in range(FEW)) >= 2 * FEW


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
def test_many_random_formulas(target: str) -> None:
    needs(target)
    many = MANY if target != "jax" else MANY // 10
    assert sum(check(seed, target) for seed in range(FEW, FEW + many)) >= 2 * many


def spoiled(given: Arrays, rng: np.random.Generator) -> Arrays:
    """Arrays with NaN, infinities and zeros in a quarter of their places."""
    found = {}
    for name, array in given.items():
        found[name] = array = np.array(array)
        if array.dtype.kind == "f" and array.size:
            places = rng.integers(array.size, size=max(1, array.size // 4))
            array.reshape(-1)[places] = rng.choice([np.nan, np.inf, -np.inf, 0.0], size=len(places))
    return found


@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_numbers_that_are_not_finite(target: str) -> None:
    """Brackets win over NaN and inf, NaN wins a maximum, the first maximum wins."""
    needs(target)
    rng = np.random.default_rng(0)
    unusual = 0
    for case in CASES:
        formula, given = case.formula(), spoiled(arrays_of(case), rng)
        sizes = {n: size for n, size in case.sizes.items() if n in formula.block.size_names}
        right = formula(**given, **sizes)
        (got,) = call(target, load(formula.source(target), "forward"), {**given, **sizes})
        np.testing.assert_allclose(got, right, rtol=1e-9, atol=1e-10, err_msg=case.id)
        unusual += not np.isfinite(right).all()
    assert unusual > len(CASES) // 2


@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_equal_maxima_give_their_gradient_to_the_first(target: str) -> None:
    needs(target)
    pool = pb.formula("y[i] = max(p<3) x[2*i+p]")
    vjp = load(pool.source(target, "vjp"), "vjp")
    for x in ([1.0, 1, 0, 0, 0, 2, 2], [0.0, np.nan, np.nan, 1, np.nan, 1, 1], [-np.inf] * 7):
        given = {"x": np.array(x)}
        (got,) = call(target, vjp, {**given, "dy": np.array([1.0, 2, 4])})
        np.testing.assert_array_equal(got, pool.gradients(given, np.array([1.0, 2, 4]))["x"])


@pytest.mark.parametrize("target", TARGETS)
def test_a_maximum_of_nothing(target: str) -> None:
    """-inf, its place 0; a logsumexp of nothing is -inf too."""
    needs(target)
    for op in ("max", "min", "argmax", "argmin", "logsumexp"):
        formula = pb.formula(f"y[i] = {op}(p | p < i and x[p] > 0) x[p] where i < 4, x: 3")
        for x in ([1.0, -2, 3], [-1.0, -np.inf, np.nan], [np.inf, np.nan, 1]):
            given = {"x": np.array(x)}
            (got,) = call(target, load(formula.source(target), "forward"), given)
            np.testing.assert_allclose(got, formula(**given))


def test_numbers_that_no_integer_of_64_bits_holds() -> None:
    formula = pb.formula("y[i] = x[i]*1000000000000000000000000/3 - 10000000000000000000000*x[i] + 1/7")
    given = {"x": np.array([1.5, -2.0])}
    (got,) = call("numpy", load(formula.source(), "forward"), given)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, formula(**given))
    with pytest.raises(EngineError, match="too large"):
        pb.formula(f"y[i] = x[i]*1{'0' * 400}").source()


def test_an_index_out_of_range_is_refused() -> None:
    """Nothing is clipped or wrapped around."""
    lookup = load(pb.formula("y[t,d] = E[id[t],d] where E: W D, id: T, id int").source(), "forward")
    assert lookup(id=np.array([1, 0]), E=np.eye(2)).shape == (2, 2)
    for wrong in (-1, 2):
        with pytest.raises(AssertionError):
            lookup(id=np.array([0, wrong]), E=np.eye(2))


def test_a_position_is_an_index_and_stays_whole() -> None:
    formula = pb.formula("a[i,c] = argmax(p<3) x[2*i+p] where c < 2; y[i,c] = z[a[i,c]] + id[] where id int, z: 3")
    given = {"x": np.array([1.0, 3, 2, 0, 5, 4, 7]), "z": np.array([1.0, 2, 4]), "id": np.array(10)}
    (got,) = call("numpy", load(formula.source(), "forward"), given)
    np.testing.assert_array_equal(got, formula(**given))


def test_arrays_that_do_not_fit_are_refused() -> None:
    conv = load(pb.formula("y[i] = sum(p,c) x[i+p,c]*w[p,c]").source(), "forward")
    for x, w in (((5, 2), (3, 1)), ((5, 2), (3, 3)), ((2, 2), (3, 2))):
        with pytest.raises(AssertionError):
            conv(np.ones(x), np.ones(w))


@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_float32_stays_float32(target: str) -> None:
    needs(target)
    checked, cases = 0, CASES if target == "numpy" else CASES[::3]
    for case in cases:
        formula, given = case.formula(), arrays_of(case, "float32")
        every = {**given, **case.sizes}
        results = call(target, load(formula.source(target), "forward"), every)
        shape = results[0].shape
        cotangent = np.ones(shape, "float32")
        dy = f"d{formula.block.result.target}"
        results += call(target, load(formula.source(target, "vjp"), "vjp"), {**every, dy: cotangent})
        for result in results:
            assert result.dtype == np.float32, case.id
            checked += 1
    assert checked > 2 * len(cases)
