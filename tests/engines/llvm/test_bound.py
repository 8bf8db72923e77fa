"""A program as a function of one array: the same bits as the runner, and nothing where a number is none."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engines.llvm.targets import choose_target
from tests.engines.test_numpy_programs import program_of

import paperback as pb
from paperback.engines.llvm.code import answer
from paperback.engines.llvm.room import Room
from paperback.engines.llvm.runner import Runner

pytestmark = pytest.mark.usefixtures("ordinary_memory")

TARGETS = ("native", "avx2", "generic")
SMALL, LARGE = 3, 300  # examples of 37 numbers, below and above what is copied


def runner(dtype: str) -> tuple[Runner, dict[str, np.ndarray], str]:
    """The prediction of a small network, what it is given beside its input, and its output."""
    net = pb.nn.Sequential(pb.nn.Dense(5), pb.nn.Tanh(), pb.nn.Dense(2))
    model = pb.Model(net, (37,), dtype=dtype, engine="numpy")
    return Runner(model.network.predict, dtype), dict(model._state.tensors), model.network.output


def examples(count: int, dtype: str, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 37)).astype(dtype)


@pytest.mark.parametrize("target", TARGETS)
def test_it_gives_what_the_runner_gives(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In turns with it, for they share memory; results that somebody has stay as they are."""
    choose_target(monkeypatch, target)
    compared = 0
    for dtype in ("float32", "float64"):
        run, given, output = runner(dtype)
        for count in (SMALL, LARGE):
            call = run.bind({**given, "input": examples(count, dtype)}, "input", output)
            assert call is not None
            kept = []
            for seed in (0, 1, 2, 2, 3, 4):
                x = examples(count, dtype, seed)
                found, again = call(x), call(x)
                assert found is not None and again is not None and found.tobytes() == again.tobytes()
                assert found.tobytes() == run({**given, "input": x})[output].tobytes()
                kept.append((found, found.copy()))
                compared += 1
            assert all(np.array_equal(one, copy) for one, copy in kept)
    assert compared == 24


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_no_number_is_found_wherever_it_is(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest and the smallest numbers are numbers."""
    choose_target(monkeypatch, target)
    found = 0
    for dtype in ("float32", "float64"):
        run, given, output = runner(dtype)
        limits, x = np.finfo(dtype), examples(1, dtype)
        call = run.bind({**given, "input": x}, "input", output)
        assert call is not None
        for place in range(37):
            for number in (np.nan, -np.nan, np.inf, -np.inf, limits.max, limits.min, limits.smallest_subnormal, -0.0):
                x[0, place] = number
                assert (call(x) is not None) == np.isfinite(number)
                found += 1
            x[0, place] = 1
    assert found == 592


def test_any_order_in_memory_is_read_or_refused() -> None:
    run, given, output = runner("float32")
    for count in (SMALL, LARGE):
        x = examples(count, "float32")
        call = run.bind({**given, "input": x}, "input", output)
        assert call is not None
        expected = run({**given, "input": x})[output]
        for other in (np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2], x[::-1].copy()[::-1]):
            found = call(other)
            assert (found is None) if count == LARGE else np.array_equal(found, expected)


def test_an_index_out_of_range_is_for_the_runner_to_explain() -> None:
    model = pb.Model(pb.nn.Sequential(pb.nn.Embedding(5, 2), pb.nn.Flatten(), pb.nn.Dense(3)), (4,), engine="numpy")
    run, given = Runner(model.network.predict), dict(model._state.tensors)
    ids = np.array([[0, 4, 2, 1]])
    call = run.bind({**given, "input": ids}, "input", model.network.output)
    assert call is not None
    for turn in range(3):
        found = call(ids)
        assert found is not None and np.array_equal(found, run({**given, "input": ids})[model.network.output]), turn
        assert call(ids + 1) is None


def test_where_memory_is_debugged_the_runner_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERBACK_DEBUG", "memory")
    run, given, output = runner("float32")
    assert run.bind({**given, "input": examples(SMALL, "float32")}, "input", output) is None


def test_its_code_stays_when_the_runner_goes() -> None:
    run, given, output = runner("float32")
    x = examples(1, "float32")
    call = run.bind({**given, "input": x}, "input", output)
    library = weakref.ref(run._for(None).library)
    del run
    gc.collect()
    assert call is not None and library() is not None
    call(x)
    del call
    gc.collect()
    assert library() is None


def test_mistakes_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exponents of which one bit is looked at; a table that others have changed, of which nobody knows."""
    monkeypatch.setenv("PAPERBACK_CACHE", "off")
    with monkeypatch.context() as patch:
        patch.setattr(answer, "_EXPONENTS", {"float": (32, 1 << 30), "double": (64, 1 << 62)})
        with pytest.raises(AssertionError):
            test_what_is_no_number_is_found_wherever_it_is("native", patch)
    with monkeypatch.context() as patch:
        patch.setattr(Room, "owner", property(lambda room: room.__dict__.get("first"), _keep), raising=False)
        with pytest.raises(AssertionError):
            test_it_gives_what_the_runner_gives("native", patch)


def _keep(room: Room, owner: object) -> None:
    """The mistake: an owner stays one."""
    if owner is not None:
        room.__dict__["first"] = owner


def test_sums_over_the_batch_are_those_of_the_call() -> None:
    """What depends on no example stays from call to call; a sum over all of them is no such thing."""
    size, wide = 1, 2500  # so wide that the sum is computed by rows, not in shares
    text = "m[i] = sum(n) x[n,i]\ny[n,i] = x[n,i]*w[i] - m[i]"
    program = program_of(text, ["y"], {"x": "input", "w": "parameter"}, x=("N", wide), w=(wide,))
    run, rng = Runner(program), np.random.default_rng(0)
    w = rng.standard_normal(wide, np.float32)
    given = [rng.standard_normal((size, wide), np.float32) for _ in range(3)]
    call = run.bind({"x": given[0], "w": w}, "x", "y")
    assert call is not None and given[0].nbytes * 2 < 32 << 10
    for x in (*given, *given):
        found = call(x)
        assert found is not None and np.allclose(found, x * w - x.sum(0), atol=1e-5)
