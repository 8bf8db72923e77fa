"""The page of what runs: nothing of the program is missing, and its counts are those made by hand."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import paperback as pb
from paperback.engines.llvm import Plan, Runner
from paperback.engines.llvm.explain import _Clock
from paperback.errors import ModelError, PaperbackError
from paperback.nn.losses import LOSSES
from paperback.notation.size import Size
from paperback.program.program import Program, ProgramTensor

BATCH = 8


def small(**settings: object) -> pb.Model:
    net = pb.nn.Sequential(
        pb.nn.Conv2d(16, 3), pb.nn.ReLU(), pb.nn.MaxPool2d(2),
        pb.nn.Conv2d(32, 3, padding="same"), pb.nn.BatchNorm(), pb.nn.ReLU(), pb.nn.Flatten(), pb.nn.Dense(10),
    )  # fmt: skip
    return pb.Model(net, (10, 10, 3), engine="llvm", **settings)  # type: ignore[arg-type]


@cache
def plan(what: str = "train", time: bool = False) -> Plan:
    return small().explain_plan(BATCH, time=time, optimizer=pb.optim.Adam(), what=what)


def formulas(found: Plan) -> str:
    return "\n".join(step.formula for row in found.rows for step in row.steps)


def flops_of(found: Plan, target: str) -> int:
    return sum(row.flops for row in found.rows if target in row.targets)


def test_every_statement_is_there() -> None:
    found, program = plan(), small().program(optimizer=pb.optim.Adam())
    there = {name for row in found.rows for name in (*row.targets, *row.inside)}
    wanted = {s.target for s in program.statements}
    assert len(wanted) > 40
    assert not wanted - there and not found.unread
    assert {f"{name} (new)" for name in program.updates} <= there
    text = " ".join(str(found).split())
    for row in found.rows:
        assert all(name in text for name in (*row.targets, *row.inside))
        for step in row.steps:
            counted = f"{step.formula.partition('[')[0]}: " in text
            assert step.how in text and (step.formula[:180] in text or counted), step.formula


@pytest.mark.parametrize("what", ["train", "predict"])
def test_rows_are_in_running_order(what: str) -> None:
    """Nobody reads what is written later: but for what a step is given, every tensor has been stored before."""
    found = plan(what)
    places = [(row.level, row.part == "join", row.round) for row in found.rows]
    assert places == sorted(places)
    stored: set[str] = set()
    computed = {name for row in found.rows for name in row.targets}
    checked = 0
    for row in found.rows:
        stored |= set(row.targets)
        for step in row.steps:
            right = step.formula.split("=", 1)[1]
            for name in computed - stored:
                assert not re.search(rf"(?<![\w.]){re.escape(name)}\[", right), (name, step.formula)
                checked += 1
    assert checked >= 20


def test_operations_are_those_counted_by_hand() -> None:
    found = plan()
    first = BATCH * 8 * 8 * 16 * (2 * 3 * 3 * 3 + 1)  # multiply-adds and a bias
    pairs = sum(1 for i, p in itertools.product(range(4), range(3)) if 0 <= i + p - 1 < 4) ** 2
    assert flops_of(found, "conv2d_1.y") == first
    assert flops_of(found, "dense_1.y") == BATCH * 10 * (2 * 512 + 1)
    assert flops_of(found, "maxpool2d_1.dy") == BATCH * pairs * 16 * 2 * 32  # scattered: no work on padding
    assert flops_of(plan("predict"), "conv2d_1.y") == first


def test_gradients_of_an_embedding_are_counted_once_for_each_term() -> None:
    net = pb.nn.Sequential(pb.nn.Embedding(50, 16), pb.nn.Flatten(), pb.nn.Dense(3))
    found = pb.Model(net, (6,), engine="llvm").explain_plan(BATCH)
    assert flops_of(found, "embedding_1.dw (shares)") == BATCH * 6 * 16
    assert "added to the row that it names" in str(found)
    gather = next(row for row in found.rows if "embedding_1.y" in row.targets)
    assert gather.bytes_read == BATCH * 6 * 8 + BATCH * 6 * 16 * 4  # ids, and as much of the table as they can mean


def test_what_follows_maxima_is_counted_without_zeros() -> None:
    net = pb.nn.Sequential(pb.nn.Conv2d(8, 3), pb.nn.MaxPool2d(2), pb.nn.Flatten())
    found = pb.Model(net, (10, 10, 16), engine="llvm").explain_plan(BATCH)
    row = next(row for row in found.rows if row.steps[0].how.startswith("follows the maxima"))
    assert row.targets == ("conv2d_1.dw (shares) (gathered)",) and not found.unread
    assert row.flops == BATCH * 4 * 4 * 8 * 3 * 3 * 16 * 2  # a quarter of 8 x 8


def test_a_batch_that_comes_second_is_planned_for_its_size() -> None:
    sizes = {"A": (Size.of("N"), Size.of(6)), "B": (Size.of(6), Size.of(16))}
    block = pb.formula("C[k,i] = sum(j) A[i,j]*B[j,k]", A="N 6", B="6 16").block
    tensors = {name: ProgramTensor(name, axes, "input") for name, axes in sizes.items()}
    tensors["C"] = ProgramTensor("C", (Size.of(16), Size.of("N")), "output")
    runner = Runner(Program(tensors, block.statements, ("C",)))
    for batch in (4, 40):
        rows = runner.plan(batch, {"A": np.ones((batch, 6)), "B": np.ones((6, 16))}).rows
        assert [row.flops for row in rows if "C" in row.targets] == [batch * 16 * 6 * 2]


def test_bytes_are_those_of_whole_tensors() -> None:
    row = next(row for row in plan("predict").rows if "conv2d_1.y" in row.targets)
    assert row.bytes_read == 4 * (BATCH * 10 * 10 * 3 + 3 * 3 * 3 * 16 + 16)


def test_reasons_name_the_way() -> None:
    text = " ".join(str(plan()).split())
    for words in ("register tile of", "plain nest, vectors of", "a copy that lies as it is read, padded with 0",
                  "filled first", "scattered", "a shard's share", "at the same points"):  # fmt: skip
        assert words in text, words


def test_what_is_long_is_cut_on_the_page_and_whole_in_the_data() -> None:
    """The forms of a minimal convolution: 16 entries of its kernel, 16 of its tiles, 4 results."""
    net = pb.nn.Sequential(pb.nn.Conv2d(16, 3), pb.nn.Conv2d(16, 3), pb.nn.Flatten(), pb.nn.Dense(2))
    found = pb.Model(net, (12, 12, 3), engine="llvm").explain_plan(4)
    text, steps = str(found), [step for row in found.rows for step in row.steps]
    words = ("(weights): 7 entries more", "(tiles): 15 entries more", "y: 3 entries more")
    assert [text.count(one) for one in words] == [2, 1, 1] and found._repr_html_().count("entries more") == 4
    assert len(steps) == len(re.findall(r"^ {7}\S.* \+?= ", text, flags=re.MULTILINE)) + 32
    assert max(map(len, text.splitlines())) < 260 < max(len(step.formula) for step in steps)


def test_a_plan_is_data() -> None:
    found = plan()
    assert json.loads(json.dumps(found.plain())) == found.plain()
    rows = found.plain()["rows"]
    assert len(rows) == len(found.rows)
    assert all(row["measured_seconds"] is None and row["modelled_seconds"] > 0 for row in rows)
    assert found._repr_html_().count("<tr>") == len(found.rows) + found._repr_html_().count("<thead>")


def test_measured_rows_have_times_and_the_model_is_unchanged() -> None:
    model = small()
    before = {name: array.copy() for name, array in model.parameters.items()}
    found = model.explain_plan(BATCH, time=True, optimizer=pb.optim.Adam())
    assert all(row.measured is not None and row.measured >= 0 for row in found.rows)
    assert found.seconds is not None and found.seconds > 0
    assert [row.kernel for row in found.rows] == [row.kernel for row in plan().rows]
    assert model.steps == 0
    for name, array in model.parameters.items():
        np.testing.assert_array_equal(array, before[name])


def test_the_clock_takes_whole_steps() -> None:
    """Every shard kernel sees every example once, in micro-batches of its shard; every join kernel all its rows."""
    count, shards, micro = 13, 3, 2
    model = small()
    runner = model.train_step().compiled("integer")
    assert isinstance(runner, Runner)
    kernels = runner._for(BATCH).kernels
    seen: dict[str, list[tuple[int, ...]]] = {k.name: [] for k in kernels}

    def fake(name: str) -> Callable[..., None]:
        return lambda table, scratch, *numbers: seen[name].append(numbers)

    places = {"table": 0, "scratch": 0, "N": count, "S": shards}
    clock = _Clock(kernels, {k.name: fake(k.name) for k in kernels}, places, micro)
    for calls in seen.values():
        calls.clear()
    assert set(clock.step()) == set(seen)
    bounds = [0, 4, 8, 13]
    for kernel in kernels:
        calls = seen[kernel.name]
        whole = kernel.cut.extent if kernel.cut else 0
        if kernel.part == "join":
            assert calls == [(0, kernel.task.rows, 0, 0, 0, whole, count, shards)]
        elif kernel.task.mode == "zero":
            pairs = enumerate(itertools.pairwise(bounds))
            assert calls == [(a, b, a, k, 0, whole, count, shards) for k, (a, b) in pairs]
        else:
            examples = [n for low, high, *_ in calls for n in range(low, high)]
            assert examples == list(range(count))
            assert all(high - low <= micro and low == origin for low, high, origin, *_ in calls)
            assert all(bounds[slot] <= low < high <= bounds[slot + 1] for low, high, _, slot, *_ in calls)


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_random_labels_suit_the_loss(loss: str) -> None:
    model = pb.Model(pb.nn.Sequential(pb.nn.Dense(3)), (4,), engine="llvm")
    assert model.explain_plan(5, time=True, loss=loss).seconds


def test_misuse() -> None:
    with pytest.raises(ModelError, match="runs on 'numpy'"):
        pb.Model(pb.nn.Sequential(pb.nn.Dense(3)), (4,), engine="numpy").explain_plan()
    with pytest.raises(ModelError, match="what is train or predict"):
        small().explain_plan(what="training")
    with pytest.raises(PaperbackError):
        small().explain_plan(0)


def test_the_plan_in_the_docs_is_the_real_one() -> None:
    """Its kernels and formulas, in order; times, schedules and what belongs to a machine may be others."""
    text = (Path(__file__).parents[3] / "docs" / "engines.md").read_text(encoding="utf-8")
    block = re.search(r"^<!-- plan -->\n```text\n(.*?)\n```$", text, flags=re.MULTILINE | re.DOTALL)
    assert block is not None
    net = pb.nn.Sequential(
        pb.nn.Conv2d(32, 5), pb.nn.ReLU(), pb.nn.MaxPool2d(2), pb.nn.Conv2d(64, 5), pb.nn.ReLU(), pb.nn.MaxPool2d(2),
        pb.nn.Flatten(), pb.nn.Dense(128), pb.nn.ReLU(), pb.nn.Dense(10),
    )  # fmt: skip
    real = pb.Model(net, (28, 28, 1), engine="llvm").explain_plan(32)
    assert real.shards > 1 and flops_of(real, "conv2d_1.dw (shares) (gathered)") == 32 * 12 * 12 * 25 * 32 * 2
    rounds = {row.targets[0]: row.round for row in real.rows if row.part == "join" and row.level}
    assert len(set(rounds.values())) == 1, "all updates at the same time"
    lines = [line for row in real.rows for line in (", ".join(row.targets), *(step.formula for step in row.steps))]
    shown = []
    for line in block.group(1).splitlines():
        kernel = re.match(r" *\d+  (\S.*?)(   with .* inside)?$", line)
        if kernel and not line.startswith("    "):
            shown.append(kernel.group(1))
        elif re.match(r" {7}\S.* \+?= ", line):
            shown.append(line.strip())
    assert len(shown) >= 20
    at = iter(lines)
    missing = [line for line in shown if not any(other.startswith(line.removesuffix("...")) for other in at)]
    assert not missing, missing
