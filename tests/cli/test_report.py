"""`paperback train --report` and `paperback report`: one page of a run, exit codes, nothing half written."""

from __future__ import annotations

import html
import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from paperback.cli.main import main
from paperback.learn.checkpoint import read_record
from paperback.learn.history import History
from paperback.learn.model import Model
from paperback.learn.record import Record

SHORT = ["--net", "flatten, dense 10", "--epochs", "2", "--shift", "0"]
SPLIT = ["--held-out", "0.3", "--seed", "2"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def result(ran: Result) -> dict[str, Any]:
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.output
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "model.safetensors"
    ran = run("train", *SHORT, *SPLIT, "--save", path, "--report", path.with_name("first.html"))
    assert ran.exit_code == 0 and f"report in {path.with_name('first.html')}" in ran.stdout
    return path


def test_the_page_of_a_run_is_the_page_that_training_wrote(saved: Path) -> None:
    ran = run("report", saved, "--json")
    found = result(ran)
    assert ran.exit_code == 0 and len(ran.stdout.splitlines()) == 1
    assert found["report"] == str(saved.with_suffix(".html"))
    page = saved.with_suffix(".html").read_bytes()
    assert page == saved.with_name("first.html").read_bytes()
    evaluated = result(run("evaluate", saved, *SPLIT[:2], "--json"))
    assert (found["accuracy"], found["loss"], found["examples"]) == (evaluated["accuracy"], evaluated["loss"], 539)
    assert f"{evaluated['accuracy']:.2%}" in page.decode()
    shown = run("report", saved, "--out", saved.with_name("second.html"))
    assert shown.stdout.splitlines()[-1] == f"report in {saved.with_name('second.html')}"
    assert saved.with_name("second.html").read_bytes() == page


def test_the_command_in_the_page_trains_the_same_model_again(saved: Path, tmp_path: Path) -> None:
    page = saved.with_name("first.html").read_text(encoding="utf-8")
    (command,) = re.findall(r"<pre><code>(.*?)</code></pre>", page)
    words = html.unescape(command)
    options = "--net 'flatten, dense 10' --epochs 2 --shift 0 --held-out 0.3 --seed 2 --save "
    assert words.startswith(f"paperback train {options}")
    arguments = shlex.split(words)[1:]
    at = arguments.index("--save")
    assert run(*arguments[:at], "--save", tmp_path / "again").exit_code == 0
    first, again = Model.load(saved), Model.load(tmp_path / "again")
    assert all(np.array_equal(array, again.parameters[name]) for name, array in first.parameters.items())


def test_the_record_tells_the_job(saved: Path) -> None:
    record = read_record(saved)
    assert record is not None and len(record.history) == 2 and record.history.steps == 158
    assert record.job["network"] == "flatten, dense 10" and record.job["batch_size"] == 16
    assert record.job["train_examples"] + record.job["test_examples"] == 1797


def test_train_without_saving_reports_too(tmp_path: Path) -> None:
    found = result(run("train", *SHORT, "--patience", "1", "--report", tmp_path / "page.html", "--json"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert found["report"] == str(tmp_path / "page.html") and found["saved"] is None
    assert "held-out loss" in page and f"{found['test_accuracy']:.2%}" in page and "--patience 1" in page
    assert result(run("train", *SHORT, "--json"))["report"] is None


def test_an_interrupted_run_is_reported_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("paperback.cli.train.Shift.__call__", interrupt)
    ran = run("train", *SHORT[:4], "--shift", "1", "--save", tmp_path / "m", "--report", tmp_path / "page.html")
    assert ran.exit_code == 130
    assert "Training was interrupted after 0 steps." in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert run("report", tmp_path / "m").exit_code == 0
    assert (tmp_path / "m.html").read_bytes() == (tmp_path / "page.html").read_bytes()
    assert "RUN" in run("report", "--help").stdout


def test_data_that_moved_and_tables_without_pictures(tmp_path: Path) -> None:
    table = tmp_path / "before.csv"
    table.write_text("kind,a,b\n" + "\n".join(f"{i % 2},{(i % 2) + (i % 7) / 4},{i % 5}" for i in range(60)) + "\n")
    arguments = ["--data", table, "--label", "kind", "--epochs", "1", "--net", "dense 4, sigmoid, dense 2"]
    assert run("train", *arguments, "--save", tmp_path / "m").exit_code == 0
    table.rename(tmp_path / "after.csv")
    gone = run("report", tmp_path / "m")
    assert gone.exit_code == 2 and "before.csv" in gone.stderr and not (tmp_path / "m.html").exists()
    assert run("report", tmp_path / "m", "--data", tmp_path / "after.csv").exit_code == 0
    page = (tmp_path / "m.html").read_text(encoding="utf-8")
    assert "dense 4, sigmoid, dense 2 on before.csv" in page and "saturated" in page
    assert "<img" not in page and "its numbers" in page


def test_names_of_folders_are_text(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for kind in ("<script>alert(1)<", 'a"b&c'):
        (tmp_path / "set" / kind).mkdir(parents=True)
        for number in range(10):
            pixels = random.integers(0, 256, (6, 5, 3), dtype=np.uint8)
            image.fromarray(pixels).save(tmp_path / "set" / kind / f"{number}.png")
    options = ["--data", tmp_path / "set", "--size", "4x3", "--net", "flatten, dense 3", "--epochs", "1"]
    assert run("train", *options, "--save", tmp_path / "m", "--report", tmp_path / "page.html").exit_code == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;alert(1)&lt;" in page and "a&quot;b&amp;c" in page
    assert page.count('alt="unit ') == 3
    assert run("report", tmp_path / "m").exit_code == 0
    assert (tmp_path / "m.html").read_text(encoding="utf-8") == page


def test_training_on_is_a_run_of_its_own(saved: Path, tmp_path: Path) -> None:
    arguments = ["--resume", saved, "--epochs", "1", "--shift", "0", *SPLIT[:2]]
    assert run("train", *arguments, "--save", tmp_path / "m").exit_code == 0
    found = result(run("report", tmp_path / "m", "--json"))
    page = (tmp_path / "m.html").read_text(encoding="utf-8")
    assert found["examples"] == 539 and "1 epoch, 79 steps" in page and "2 epochs old" in page


def test_a_bad_place_is_found_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed")

    monkeypatch.setattr(Model, "fit", never)
    both = ["--save", tmp_path / "m", "--report", tmp_path / "m"]
    for options, message in (
        (["--report", tmp_path / "no" / "page.html"], "--report: cannot write"),
        (both, f"--report: needs a file of its own, found that of the model, {tmp_path / 'm'}; choose another name"),
    ):
        ran = run("train", *SHORT, *options)
        assert ran.exit_code == 2 and message in ran.stderr and not list(tmp_path.iterdir())


def test_what_is_no_run_is_refused(saved: Path, tmp_path: Path) -> None:
    Model.load(saved).save(tmp_path / "model")
    Model.load(saved).save(tmp_path / "odd", Record({"data": 3, "label": None, "held_out": 0.2}, History(), {}))
    (tmp_path / "text").write_text("hello")
    before = sorted(tmp_path.iterdir())
    cases = [
        (["report", tmp_path / "model"], "model: needs the record of its training, found a model alone; save it with "
                                         "paperback train --save, or use pb.report(model, x, y)"),
        (["report", tmp_path / "odd"], "odd: needs data, label and held_out in its record, found others; the file is"),
        (["report", tmp_path / "text"], "is no safetensors file, or was cut short"),
        (["report", tmp_path / "nothing"], "nothing"),
        (["report", tmp_path], "folder"),
        (["report", saved, "--out", saved], "--out: needs a file of its own, found that of the model"),
        (["report", saved, "--out", tmp_path / "no" / "page"], "--out: cannot write"),
        (["report", saved, "--data", "/nowhere/at/all.csv", "--out", tmp_path / "p"], "/nowhere/at/all.csv"),
        (["report", saved, "--engine", "steam", "--out", tmp_path / "p"], "steam"),
        (["report"], "RUN is missing; write paperback report RUN"),
    ]  # fmt: skip
    for arguments, message in cases:
        ran = run(*arguments)
        assert ran.exit_code == 2 and message in ran.stderr and "Traceback" not in ran.output, (arguments, ran.stderr)
    assert len(cases) == 10 and sorted(tmp_path.iterdir()) == before
    told = run("report", tmp_path / "text", "--json")
    assert told.exit_code == 2 and "is no safetensors file" in result(told)["error"]
    assert Model.load(saved).steps == 158
