"""Kernels that are done part by part: the bits are those of whole kernels, whatever part comes first."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engines.llvm.random_steps import draw_step
from tests.engines.llvm.targets import share_from

import paperback as pb
from paperback import nn
from paperback.engines import compile_program
from paperback.engines.llvm import room, runner
from paperback.engines.llvm.code import drivers, runs
from paperback.engines.llvm.code.cut import Cut
from paperback.engines.llvm.code.module import Writer
from paperback.engines.llvm.lowering.buffers import Buffer
from paperback.engines.llvm.lowering.layout import scratch_places
from paperback.engines.llvm.lowering.nests import Nest
from paperback.engines.llvm.lowering.tasks import Task
from paperback.engines.llvm.machine.pool import Pool
from paperback.engines.llvm.runner import Runner
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Binder, Node, Read, Reduce, Statement
from paperback.notation.size import Size
from paperback.program.program import Program

Array = np.ndarray
Levels = Sequence[Sequence[Sequence[Task]]]
TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
REGION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


class Orders:
    """In place of a pool: the parts of every region one after the other, in an order of its own."""

    def __init__(self, seed: int) -> None:
        self.rng, self.regions = np.random.default_rng(seed), 0
        self.native = REGION(self.run)

    def run(self, function: int, context: int, tasks: int) -> None:
        self.regions += 1
        for task in self.rng.permutation(tasks):
            TASK(function)(context, int(task), 0)

    @property
    def address(self) -> int:
        found = ctypes.cast(self.native, ctypes.c_void_p).value
        assert found is not None
        return found


def cut_everything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(drivers, "_WORTH_CUT", 1)
    patch.setattr(room, "_SHARDS", 1)


@pytest.fixture(autouse=True)
def _everything_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_everything(monkeypatch)


def in_any_order(
    program: Program, arrays: dict[str, Array], dtype: str, seed: int, cut: bool = True
) -> list[runs.Run]:  # fmt: skip
    """The bits of whole kernels, twice; the runs of several tasks. `cut`: is something sure to be done in parts?"""
    with pytest.MonkeyPatch.context() as patch:
        share_from(patch, float("inf"))
        expected = Runner(program, dtype, 1)(arrays)
    found: list[runs.Run] = []
    with pytest.MonkeyPatch.context() as patch:
        share_from(patch, 0)
        orders, original = Orders(seed), Writer.__init__

        def watched(self: Writer, *arguments: object) -> None:
            original(self, *arguments)  # type: ignore[arg-type]
            found.extend(run for level in self.runs for run in level if len(run.tasks) > 1)

        patch.setattr(Writer, "__init__", watched)
        for name in ("address", "awake"):
            patch.setattr(Pool, name, property(lambda self: orders.address))
        run = Runner(program, dtype, 2)
        for _ in range(2):
            got = run(arrays)
            assert got.keys() == expected.keys()
            for name, array in got.items():
                assert array.tobytes() == expected[name].tobytes(), name
    assert orders.regions or not cut
    return found


def network(kind: str) -> tuple[nn.Sequential, tuple[int, ...]]:
    if kind == "minimal":
        layers = [nn.Conv2d(32, 5), nn.MaxPool2d(2), nn.Conv2d(64, 5), nn.ReLU(), nn.MaxPool2d(2)]
    elif kind == "padded":
        layers = [nn.Conv2d(16, 3, padding="same"), nn.ReLU(), nn.Conv2d(16, 3, padding="same"), nn.AvgPool2d(2)]
    else:
        layers = [nn.Conv2d(8, 3, stride=2, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(8, 3, 2, padding=1)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dense(5)), (28, 28, 2) if kind == "minimal" else (16, 16, 2)


@pytest.mark.parametrize("count", [1, 3, 20])
@pytest.mark.parametrize("kind", ["minimal", "padded", "strided"])
def test_networks(kind: str, count: int) -> None:
    layers, shape = network(kind)
    model = pb.Model(layers, shape, engine="llvm")
    rng = np.random.default_rng(count)
    x = rng.standard_normal((count, *shape), np.float32)
    arrays = {"input": x, "label": rng.integers(0, 5, count), "lr": np.float32(0.1), **model.parameters}
    seen: list[runs.Run] = []
    for program in (model.program(optimizer=pb.optim.SGD()), model.network.predict):
        given = {t.name: arrays[t.name] for t in program.inputs if t.name in arrays}
        seen += in_any_order(program, given, "float32", count)
        got, expected = Runner(program)(given), compile_program(program, engine="numpy")(given)
        for name, array in got.items():
            assert np.allclose(array, expected[name], rtol=1e-4, atol=1e-5 * np.abs(expected[name]).max()), name
    assert len(seen) >= 2
    if kind == "minimal":  # tiles, their products, results, their squares, what is computed again, the pooling
        assert sorted(len(run.tasks) for run in seen if any(task.when for task in run.tasks)) == [4, 6]
    for run in seen:
        parts = {cut.most if cut is not None else 0 for cut in run.cuts}
        assert len(parts) == 1 and min(parts) >= 4


def test_a_core_reads_the_weights_that_it_made() -> None:
    """Where a step changes them: transformed weights and products are cut along the same axis, and else along rows."""
    layers, shape = network("minimal")
    model = pb.Model(layers, shape, engine="llvm")
    found = []
    for program in (model.program(optimizer=pb.optim.SGD()), model.network.predict):
        cuts = {kernel.task.target: kernel.cut for kernel in Runner(program)._for(1).kernels}
        (weights,) = (cut for name, cut in cuts.items() if name.endswith("(weights)"))
        (products,) = (cut for name, cut in cuts.items() if name.endswith("(products)"))
        assert weights is not None and products is not None
        found.append(((weights.axis, weights.most), products.axis))
    assert found == [((0, 2), 2), ((0, 2), 1)]


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_rows_that_are_computed_again(value: float) -> None:
    """What is not finite stays in the rows that look at it, and in its example, whatever part comes first."""
    layers, shape = network("minimal")
    model = pb.Model(layers, shape, engine="llvm")
    x = np.random.default_rng(3).standard_normal((3, *shape), np.float32)
    x[1, 25, 3, 0] = value  # of the last rows
    program, given = model.network.predict, {"input": x, **model.parameters}
    assert in_any_order(program, given, "float32", 3)
    name, clean = program.outputs[0], {**given, "input": x[::2].copy()}
    got, expected = (compile_program(program, engine=engine)(given)[name] for engine in ("llvm", "numpy"))
    assert np.array_equal(np.isfinite(got), np.isfinite(expected)) and not np.isfinite(got[1]).any()
    assert got[::2].tobytes() == compile_program(program, engine="llvm")(clean)[name].tobytes()


@pytest.mark.parametrize("seeds", [range(6), pytest.param(range(6, 40), marks=pytest.mark.long)])
def test_random_steps(seeds: range) -> None:
    several = 0
    for seed in seeds:
        step = draw_step(seed, tiny=False)
        dtype = "float64" if seed % 2 else "float32"
        for program in (step.train, step.network.predict):
            several += len(in_any_order(program, step.needed(program), dtype, seed, cut=False))
    assert several >= len(seeds) // 3


def test_what_a_part_reads() -> None:
    """Every index of a part, one by one: where the rule says so, all that it reads lies in the same part."""
    rng = np.random.default_rng(0)
    said = wrong = 0
    for _ in range(4000):
        i, j, p = (Letter.fresh(name) for name in "ijp")
        extents = {i: int(rng.choice([2, 4, 8, 12])), j: int(rng.choice([1, 2, 4])), p: int(rng.integers(1, 4))}
        m, s = (int(n) for n in rng.choice([1, 2, 3, 4], 2))
        left = Affine.of(i) * m + int(rng.integers(0, 3)) + (Affine.of(j) if rng.random() < 0.5 else 0)
        place = Affine.of(i) * s + int(rng.integers(0, 2)) + (Affine.of(p) if rng.random() < 0.5 else Affine.of(j))
        parts, sizes = int(rng.choice([2, 4])), (int(rng.integers(1, 9)), int(rng.integers(1, 9)))
        keeps = True
        for values in product(*map(range, extents.values())):
            env = dict(zip(extents, values, strict=True))
            at, read = (f.const.value + sum(k.value * env[l] for l, k in f.terms) for f in (left, place))
            keeps = keeps and (at >= parts * sizes[0] or at // sizes[0] == read // sizes[1])
        says = runs._go_together(left, place, i, sizes, extents)
        assert keeps or not says, f"{left} reads {place}, {sizes}"
        said, wrong = said + says, wrong + (not keeps)
    assert said >= 40 and wrong >= 1000


def task(target: str, expr: Node, i: Letter) -> Task:
    binders = (Binder(Letter.fresh("n"), Size.of(4)), Binder(i, Size.of(8)))
    return Task(target, (Nest(Statement.plain(target, binders, expr)),), "example")


@pytest.mark.parametrize(("local", "runs_"), [(True, [2]), (False, [1, 1])])
def test_what_is_written_again_was_read_by_the_same_part(local: bool, runs_: list[int]) -> None:
    """s reads z, and then z is written again from s: another part of s may not have read it yet."""
    i, j = Letter.fresh("i"), Letter.fresh("j")
    row = Affine.of(Letter.fresh("n"))
    whole = Reduce("sum", (Binder(j, Size.of(8)),), (), Read("z", (row, Affine.of(j)), None))
    first = task("s", Read("x", (row, Affine.of(i)), None) if local else whole, i)
    again = task("z", Read("s", (row, Affine.of(i)), None), i)
    extents = lambda nest: {i: 8, j: 8}  # noqa: E731
    found = runs.find_runs([first, again], lambda task: [Cut(1, 8)], extents)
    assert [len(run.tasks) for run in found] == runs_


def meetings(program: Program, alone: bool) -> int:
    """How many tensors that a run touches share memory, where places are given to runs, or to every task alone."""
    seen: list[tuple[Levels, dict[str, Buffer]]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "scratch_places", lambda *given: seen.append(given) or scratch_places(*given))
        Runner(program)
    (levels, buffers), found = seen[0], 0
    places, _ = scratch_places([[(t,) for run in level for t in run] for level in levels] if alone else levels, buffers)
    found = 0
    for run in (run for level in levels for run in level if len(run) > 1):
        names = sorted({name for task in run for name in (*task.order, *task.reads)} & places.keys())
        spans = [(places[n], places[n] + buffers[n].size * buffers[n].bytes_per_entry) for n in names]
        found += sum(a < d and c < b for (a, b), (c, d) in combinations(spans, 2))
    return found


@pytest.mark.usefixtures("ordinary_memory")
def test_what_a_run_touches_lies_apart() -> None:
    met = 0
    for kind in ("minimal", "padded", "strided"):
        layers, shape = network(kind)
        model = pb.Model(layers, shape, engine="llvm")
        for program in (model.program(optimizer=pb.optim.SGD()), model.network.predict):
            assert not meetings(program, alone=False)
            met += meetings(program, alone=True)
    assert met, "it would be seen"


@pytest.mark.usefixtures("ordinary_memory")
def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_keeps_to_its_part", lambda *arguments: True)
    layers, shape = network("minimal")
    model = pb.Model(layers, shape, engine="llvm")
    arrays = {"input": np.random.default_rng(0).standard_normal((2, *shape), np.float32), **model.parameters}
    with pytest.raises(AssertionError):
        for seed in range(5):
            in_any_order(model.network.predict, arrays, "float32", seed)
