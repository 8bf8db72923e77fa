"""The benchmark commands run, on the smallest network, and compare only what computes the same. No time is asserted."""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import claims, cold, derive, harness, networks, ours, peak, prove, start
from benchmarks.networks import (
    EVERY,
    NETWORKS,
    SCALED,
    Conv,
    chain,
    examples,
    find,
    is_minimal,
    multiply_adds,
    weights,
)
from benchmarks.worker import LEARNING_RATE

from paperback.engines.llvm.lowering import winograd

HAS_TORCH = importlib.util.find_spec("torch") is not None


def test_a_table_is_measured_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = harness.parser("a table", rows=True).parse_args(["--quick", "--rows", "tiny:3", "--write", "--json"])
    results = tmp_path / "results.md"
    results.write_text("# Results\n\n<!-- other -->\n\nkept\n\n<!-- end of other -->\n")
    for _ in range(2):  # the second replaces the first
        harness.compare(options, "small", "A small table", "train", [], ["ours", "numpy"], path=results)
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(shown["rows"][0]["seconds"]) == {"ours", "numpy"}
    assert len({len(turns) for turns in shown["rows"][0]["seconds"].values()}) == 1
    text = results.read_text()
    assert text.count("## A small table") == 1 and "kept" in text
    assert text.count(NETWORKS["tiny"].title) == 1


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", ["tiny", "mlp", "residual", "signal"])
def test_pytorch_takes_the_same_steps(name: str) -> None:
    pytorch = pytest.importorskip("benchmarks.pytorch")
    network = find(name)
    for last in (False, True):
        mine, theirs = ours.train(network, 3, LEARNING_RATE)(4), pytorch.train(network, 3, LEARNING_RATE, 1, last)(4)
        assert mine == pytest.approx(theirs, rel=harness.TOLERANCE)
        assert ours.infer(network, 2)(1) == pytest.approx(pytorch.infer(network, 2, 1, last)(1), rel=1e-4)


def test_another_rate_is_not_the_same_step() -> None:
    rates = (LEARNING_RATE, 1.1 * LEARNING_RATE)
    values = {rate: ours.train(find("tiny"), 3, rate)(harness.CHECKED_STEPS) for rate in rates}
    with pytest.raises(AssertionError, match="does not compute the same"):
        harness.check({str(rate): value for rate, value in values.items()}, "here")
    harness.check({"a": values[LEARNING_RATE], "b": values[LEARNING_RATE] * (1 + harness.TOLERANCE / 2)}, "here")
    with pytest.raises(AssertionError):
        harness.check({"a": values[LEARNING_RATE], "b": float("nan")}, "here")


def test_ratios_are_of_turns() -> None:
    row = harness.Measured("tiny", 1, {"ours": [1.0, 2.0, 4.0], "eager": [3.0, 4.0, 20.0]}, {})
    assert row.ratio("eager") == 3
    assert row.least_ratio("eager") == 3
    assert harness.Measured("tiny", 1, {"ours": [1.0, 2.0], "eager": [4.0, 2.0]}, {}).least_ratio("eager") == 2


def test_what_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(harness.FRAMEWORKS, "nobody", harness.Framework("nobody", "nobody_has_this"))
    with harness.Team(["nobody", "ours"], quick=True) as team:
        assert list(team.workers) == ["ours"]
        with pytest.raises(harness.Missing, match="no_task"):
            team.workers["ours"].prepare("key", "no_task", "tiny", 1, {})
        assert team.workers["ours"].memory() > 1 << 20


def test_multiply_adds_are_those_of_the_hand_count() -> None:
    """Sheet's network: 24*24*32*25 and 8*8*64*800 in the convolutions, 1024*128 and 128*10 in the dense layers."""
    first, second, dense = 24 * 24 * 32 * 25, 8 * 8 * 64 * 800, 1024 * 128 + 128 * 10
    assert multiply_adds(find("sheet")) == 2 * first + 3 * (second + dense)
    fewer = 16 * (36 * 32 * 64 + 22 * 12 * 32 + 10 * 8 * 64)  # 16 tiles, and what takes them there and back
    assert multiply_adds(find("sheet"), done=True) == first + first // 4 + fewer + 2 * second // 4 + 3 * dense
    assert multiply_adds(find("mlp")) == 2 * 784 * 128 + 3 * 128 * 10
    assert multiply_adds(find("signal"), done=True) < multiply_adds(find("signal"))


def test_every_network_has_the_shapes_it_says() -> None:
    assert len(EVERY) == 7 * 5 and len(SCALED) == 8
    for name in [*NETWORKS, *SCALED]:
        network = find(name)
        assert [out for _, _, out in chain(network.layers, network.shape)][-1] == (network.classes,)
        assert all(np.ptp(w) > 0 and np.ptp(b) > 0 for w, b in weights(network))
    (x, y), *others = examples(find("strided"), 5)
    assert x.shape == (5, 32, 32, 3) and y.shape == (5,) and len(others) == 3 and not np.array_equal(x, others[0][0])


def test_the_peak_is_measured() -> None:
    assert peak.peak(2)() > 0


def test_a_process_trains_from_a_cold_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "digits.npz"
    cold.write_digits(path)
    with np.load(path) as held:
        assert len(held["train_x"]) + len(held["test_x"]) == 1797 and held["train_x"].max() == 16
    done = cold.start("ours", "digits", path, tmp_path / "cache", {})
    assert done.accuracy >= 0.98 and done.epochs >= 1 and done.memory > 1 << 20 and done.seconds > 0


def test_every_layer_is_differentiated() -> None:
    names = [name for name, _ in derive.layers()]
    assert len(names) > 45 and {"Conv2d", "MultiHeadAttention", "Embedding"} <= set(names)
    found = {name: derive.once(make) for name, make in derive.layers() if name in ("Dense", "Embedding")}
    assert all(set(row) == set(derive.PARTS) and min(row.values()) > 0 for row in found.values())
    assert "| Dense |" in derive.table(found) and "No part takes more than" in derive.table({"Dense": {"vjp": 1.0}})
    assert "Above 100 ms: Dense, vjp" in derive.table({"Dense": {"vjp": 101.0}})


def test_entries_of_the_book_are_timed() -> None:
    found = claims.measured(["A1.5", "E1"])
    assert found.keys() == {"A1.5", "E1"} and "2 entries: " in claims.table(found)


def test_commands_share_their_options() -> None:
    assert isinstance(harness.parser("x").parse_args([]), argparse.Namespace)
    assert not hasattr(harness.parser("x").parse_args([]), "rows")


def test_a_start_is_measured_part_by_part(tmp_path: Path) -> None:
    seconds = start.start(str(tmp_path / "cache"), str(tmp_path / "bytecode"))
    assert len(seconds) == len(start.PARTS)
    assert all(part > 0 for part in seconds)
    assert list((tmp_path / "cache").rglob("*.code"))


def test_proofs_are_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prove.main(["--quick", "--json"], tmp_path / "results.md")
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    assert len(rows) >= 5 and all(row["status"] == "proved for all sizes" for row in rows)


def test_what_is_minimal_is_what_the_engine_makes_so() -> None:
    """The table of the peak counts what is done."""
    seen = {}
    for key in ("sheet", "lenet5", "digits", "strided", "residual"):
        network = find(key)
        layers = chain(network.layers, network.shape)
        said = sum(is_minimal(layer, into, out) for layer, into, out in layers if isinstance(layer, Conv))
        made = [name for row in ours.model(network).explain_plan(2).rows for name in row.targets]
        seen[key] = sum(name.endswith("(products)") for name in made), said
    assert all(made == said for made, said in seen.values()), seen
    assert seen["sheet"] == (1, 1) and seen["lenet5"] == (0, 0)
    assert seen["strided"] == (2, 2) and seen["residual"] == (5, 5)
    for (side, stride), counts in networks._FORMS.items():
        results, weights, tiles = winograd.matrices(2, side, stride)
        entries = (sum(map(bool, itertools.chain(*matrix))) for matrix in (tiles, results))
        assert counts == (len(weights), *entries)
