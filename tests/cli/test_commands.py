"""The command line: results, JSON, exit codes, and no traceback for bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from paperback import __version__
from paperback.cli.main import main
from paperback.data.idx import write_idx
from paperback.learn.model import load

SOURCE = Path(__file__).parents[2] / "src"
SHORT = ["--net", "flatten, dense 10", "--epochs", "2", "--shift", "0"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def result(ran: Result) -> dict[str, Any]:
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.output
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "model"
    assert run("train", *SHORT, "--save", path).exit_code == 0
    return path


def test_train_reports_what_it_reached(tmp_path: Path) -> None:
    ran = run("train", *SHORT, "--json", "--save", tmp_path / "model")
    found = result(ran)
    assert ran.exit_code == 0
    assert len(ran.stdout.splitlines()) == 1
    assert 0.5 < found["test_accuracy"] <= 1
    assert (found["train_examples"], found["test_examples"], found["parameters"]) == (1438, 359, 650)
    assert len(found["history"]["epochs"]) == 2 and not found["interrupted"]
    assert load(tmp_path / "model").epochs == 2


def test_train_for_people(saved: Path) -> None:
    ran = run("train", *SHORT)
    assert "1,438 examples" in ran.stdout and "650 parameters; 2 epochs" in ran.stdout
    assert "test accuracy" in ran.stdout.splitlines()[-1]


def test_the_same_seed_reaches_the_same_and_another_does_not() -> None:
    first, second = (result(run("train", *SHORT, "--json", "--seed", "3")) for _ in range(2))
    other = result(run("train", *SHORT, "--json"))
    assert first["test_loss"] == second["test_loss"] != other["test_loss"]


def test_evaluate_finds_what_train_reached(saved: Path) -> None:
    trained, found = result(run("train", *SHORT, "--json")), result(run("evaluate", saved, "--json"))
    assert found["accuracy"] == trained["test_accuracy"] and found["loss"] == trained["test_loss"]
    assert result(run("evaluate", saved, "--all", "--json"))["examples"] == 1797


def test_predict_gives_a_class_for_every_example(saved: Path, tmp_path: Path) -> None:
    ran = run("predict", saved, "--limit", "5")
    assert len(ran.stdout.split()) == 5
    np.save(tmp_path / "x.npy", np.zeros((3, 8, 8, 1)))
    assert len(result(run("predict", saved, "--data", tmp_path / "x.npy", "--json"))["predictions"]) == 3


def test_summary_of_a_file_and_of_a_network(saved: Path) -> None:
    assert result(run("summary", saved, "--json"))["parameters"] == 650
    found = result(run("summary", "--net", "lenet", "--input-shape", "28x28x1", "--json"))
    assert found["parameters"] == 184_586
    assert [layer["name"] for layer in found["layers"]][:3] == ["conv2d_1", "relu_1", "maxpool2d_1"]
    assert "650 parameters" in run("summary", saved).stdout


def test_summary_shows_the_plan_of_a_step(saved: Path) -> None:
    plan = result(run("summary", saved, "--plan", "--batch", "4", "--engine", "llvm", "--json"))["plan"]
    assert plan["batch"] == 4 and all(row["steps"] and row["measured_seconds"] is None for row in plan["rows"])
    assert "dense_1.y[n,o] = " in run("summary", saved, "--plan", "--engine", "llvm").stdout
    ran = run("summary", saved, "--plan", "--program")
    assert ran.exit_code == 2 and "choose one of them" in ran.stderr
    ran = run("summary", saved, "--plan", "--engine", "numpy")
    assert ran.exit_code == 2 and "runs on 'numpy'" in ran.stderr


def test_summary_measures_when_asked() -> None:
    plain = result(run("summary", "--json", "--batch", "3"))["layers"]
    timed = result(run("summary", "--json", "--batch", "3", "--time", "--engine", "numpy"))["layers"]
    assert plain[0]["receptive_field"] == {"size": [3, 3, 1], "jump": [1.0, 1.0, 0.0], "offset": [-1, -1, 0]}
    assert plain[0]["activation_bytes"] == 4 * 3 * 8 * 8 * 16
    for before, after in zip(plain, timed, strict=True):
        assert after.pop("forward_seconds") > 0 and after.pop("backward_seconds") >= 0
        assert after == before
    ran = run("summary", "--time", "--program")
    assert ran.exit_code == 2 and "for the summary, --program prints formulas; leave it out" in ran.stderr


def test_derive_prints_formulas() -> None:
    ran = run("derive", "y[o] = sum(i) x[i]*w[i,o] + b[o]", "--wrt", "x")
    assert ran.exit_code == 0
    assert "vjp by x\ndx[" in ran.stdout
    ran = run("derive", r"y_n = \sum_{j=1}^{K} x_{n+j-1} w_j", "--base", "1", "--axes", "w=K")
    assert ran.output.startswith("y[n] = sum(j) x[n+j]*w[j] where x: x0, w: K\n")
    found = result(run("derive", "y[i] = sum(p) x[s*i+p]*w[p]", "--axes", "x=H", "--size", "s=2", "--json"))
    assert set(found["wrt"]) == {"x", "w"} and set(found["wrt"]["x"]) == {"derivative", "vjp", "jvp"}


def test_derive_prints_one_derivative_in_the_form_that_is_asked_for() -> None:
    cube = "y = sum(i) x[i]^3"
    assert "hessian by x\nddy_dx_dx[t,u] = 6*[u == t]*x[t]" in run("derive", cube, "--what", "hessian").stdout
    assert r"\sum_{i} x_{i}^{3}" in run("derive", cube, "--what", "forward", "--as", "latex").stdout
    for form in ("numpy", "torch", "jax"):
        found = result(run("derive", cube, "--as", form, "--name", "cube", "--json"))
        assert all(f"def {name}(x" in found["source"] for name in ("cube", "cube_vjp", "cube_jvp"))
        compile(found["source"], form, "exec")
    by_w = run("derive", "y[i] = sum(p) x[s*i+p]*w[p]", "--sizes", "s=2, P=3", "--axes", "w=P", "--what", "vjp",
               "--wrt", "w", "--as", "numpy").stdout  # fmt: skip
    assert "def vjp(x, w, dy):" in by_w and "return dw" in by_w


def test_prove_says_what_a_claim_comes_to() -> None:
    ran = run("prove", "sigmoid(a)", "(tanh(a/2) + 1)/2", "--scalar", "a")
    assert ran.exit_code == 0 and ran.stdout.startswith("proved for all sizes\n")
    ran = run("prove", "sum(p) x[i+p]*w[p]", "sum(p) x[i+p]*w[P-1-p]", "--axes", "x=H", "--axes", "w=P", "--json")
    found = result(ran)
    assert ran.exit_code == 1 and (found["status"], found["holds"]) == ("refuted", False)
    assert found["counterexample"]["sizes"] == {"H": 2, "P": 2}
    formula, claim = "y[i] = sum(p) x[i+p]*w[p]", "dx[n] = sum(j) dy[n-j]*w[j] where dy pads 0"
    assert run("prove", claim, "--derivative-of", formula, "--wrt", "x").exit_code == 0
    axes = ["--axes", "x=H", "--axes", "w=P", "--sizes", "H=28 P=5"]
    ran = run("prove", claim, "--derivative-of", formula, "--wrt", "x", "--what", "vjp", *axes)
    assert ran.exit_code == 0 and ran.stdout.startswith("proved at sizes\n") and "at H = 28, P = 5" in ran.stdout
    assert run("prove", "y[i] = x[i,j]", "z[i]").exit_code == 1


def test_training_on_files(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for part, count in (("train", 60), ("t10k", 20)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", random.integers(0, 256, (count, 6, 5), dtype=np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8) % 3)
    found = result(run("train", "--data", tmp_path, "--net", "flatten, dense 3", "--epochs", "1", "--json"))
    assert (found["train_examples"], found["test_examples"], found["parameters"]) == (60, 20, 93)
    table = tmp_path / "table.csv"
    table.write_text("\n".join(f"{i % 2},{i % 7},{i % 2}" for i in range(40)) + "\n")
    assert result(run("train", "--data", table, "--epochs", "1", "--json"))["net"] == "table"


def test_schedules_clips_and_optimizers_are_options() -> None:
    options = ["--schedule", "onecycle", "--clip", "0.5", "--optimizer", "rmsprop"]
    found = result(run("train", *SHORT, *options, "--json"))
    assert found["schedule"] == "onecycle" and found["test_accuracy"] > 0.5
    assert found["optimizer"]["class"] == "RMSProp" and found["optimizer"]["clip"] == 0.5
    assert found["optimizer"]["weight_decay"] == 0 and found["history"]["best"] is None
    usual = result(run("train", *SHORT, "--json"))["optimizer"]
    assert (usual["class"], usual["weight_decay"], usual["clip"]) == ("SGD", 0.0005, None)


def test_patience_keeps_a_tenth_aside_and_the_best_epoch(tmp_path: Path) -> None:
    options = ["--net", "flatten, dense 10", "--epochs", "40", "--lr", "2", "--schedule", "constant", "--patience", "2"]
    ran = run("train", *options, "--json", "--save", tmp_path / "model")
    found = result(ran)
    assert (found["train_examples"], found["validation_examples"], found["test_examples"]) == (1294, 144, 359)
    losses = [epoch["val_loss"] for epoch in found["history"]["epochs"]]
    best = found["history"]["best"]
    assert len(losses) == best + 2 < 40 and min(losses) == losses[best - 1]
    assert result(run("evaluate", tmp_path / "model", "--json"))["loss"] == found["test_loss"]
    assert f"kept epoch {best} of {best + 2}, the best on 144 examples" in run("train", *options).stdout


def test_evaluate_shows_the_table_of_classes(saved: Path) -> None:
    found = result(run("evaluate", saved, "--confusion", "--json"))
    table = np.array(found["confusion"])
    assert table.shape == (10, 10) and table.sum() == 359
    assert np.trace(table) / 359 == pytest.approx(found["accuracy"])
    assert found["recall"][3] == pytest.approx(table[3, 3] / table[3].sum())
    assert found["precision"][3] == pytest.approx(table[3, 3] / table[:, 3].sum())
    lines = run("evaluate", saved, "--confusion").stdout.splitlines()[1:]
    assert len(lines) == 12 and lines[0].split()[0] == "class" and lines[-1].startswith("precision")
    assert [int(number) for number in lines[4].split()[1:11]] == table[3].tolist()


def test_pictures_and_label_columns(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for kind, low in (("dark", 0), ("light", 150)):
        (tmp_path / "set" / kind).mkdir(parents=True)
        for number in range(20):
            pixels = random.integers(low, low + 100, (6, 5), dtype=np.uint8)
            image.fromarray(pixels).save(tmp_path / "set" / kind / f"{number}.png")
    options = ["--data", tmp_path / "set", "--net", "flatten, dense 2", "--epochs", "20", "--save", tmp_path / "model"]
    assert result(run("train", *options, "--json"))["test_accuracy"] == 1
    shown = run("evaluate", tmp_path / "model", "--data", tmp_path / "set", "--confusion").stdout
    assert "dark" in shown and "light" in shown and "100.0%" in shown
    table = tmp_path / "table.csv"
    table.write_text("kind,a,b\n" + "\n".join(f"{i % 2},{i % 2},{i % 7}" for i in range(40)) + "\n")
    for label in ("kind", "0", "-3"):
        ran = run("train", "--data", table, "--label", label, "--epochs", "30", "--json", "--save", tmp_path / "t")
        assert result(ran)["test_accuracy"] == 1
        for given in (("--label", label), ()):  # the model knows its column
            command = ("evaluate", tmp_path / "t", "--data", table, *given, "--json")
            assert result(run(*command))["accuracy"] == 1
            assert len(result(run("predict", tmp_path / "t", "--data", table, *given, "--json"))["predictions"]) == 40


def test_errors_are_json_too() -> None:
    ran = run("evaluate", "/nowhere/model", "--json")
    assert ran.exit_code == 2 and "found nothing there" in result(ran)["error"]
    for arguments in (["train", "--epoch", "3"], ["train", "--epochs", "no"], ["summary", "m", "--classes", "3"]):
        ran = run(*arguments, "--json")
        assert ran.exit_code == 2 and ran.stderr.endswith(f"Error: {result(ran)['error']}\n"), ran.output
        assert len(ran.stdout.splitlines()) == 1


def test_a_failed_check_is_told_with_json_too(saved: Path) -> None:
    ran = run("evaluate", saved, "--at-least", "1", "--json")
    found = result(ran)
    assert ran.exit_code == 1
    assert found["check_failed"] == f"the accuracy {found['accuracy']:.4f} is below --at-least 1"
    assert ran.stderr == f"check failed: {found['check_failed']}\n"
    trained = run("train", *SHORT, "--at-least", "1", "--json")
    assert trained.exit_code == 1 and "check_failed" in result(trained)
    assert "check_failed" not in result(run("evaluate", saved, "--json"))


def test_control_c_before_anything_is_trained_is_one_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("paperback.cli.sets.load", interrupt)
    ran = run("train", "--save", tmp_path / "model")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (130, "", "interrupted\n")
    assert not list(tmp_path.iterdir())
    assert result(run("train", "--json")) == {"error": "interrupted"}


def test_control_c_while_the_program_is_loaded_is_one_word(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise KeyboardInterrupt\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{SOURCE}"}
    command = [sys.executable, "-m", "paperback", "train"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode in (-2, 130) and ran.stdout == "" and ran.stderr == "interrupted\n"


def test_pictures_of_several_sizes_are_brought_to_one(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for kind, low in (("dark", 0), ("light", 150)):
        (tmp_path / "set" / kind).mkdir(parents=True)
        for number in range(20):
            pixels = random.integers(low, low + 100, (6 + number % 3, 5), dtype=np.uint8)
            image.fromarray(pixels).save(tmp_path / "set" / kind / f"{number}.png")
    assert "on the command line" in run("train", "--data", tmp_path / "set").stderr
    options = ["--data", tmp_path / "set", "--size", "6x5", "--net", "flatten, dense 2", "--epochs", "20"]
    ran = run("train", *options, "--save", tmp_path / "model")
    assert "32 examples of 6x5x1 in 2 classes" in ran.stdout
    assert result(run("evaluate", tmp_path / "model", "--data", tmp_path / "set", "--json"))["accuracy"] == 1
    assert run("predict", tmp_path / "model", "--data", tmp_path / "set" / "light").stdout.split() == ["light"] * 20
    image.new("RGBA", (5, 6), (200, 210, 220, 255)).save(tmp_path / "set" / "light" / "colour.png")
    assert result(run("evaluate", tmp_path / "model", "--data", tmp_path / "set", "--all", "--json"))["accuracy"] == 1
    one = tmp_path / "set" / "dark" / "0.png"
    assert run("predict", tmp_path / "model", "--data", one).stdout == "dark\n"


def test_training_is_resumed_with_the_bits_of_training_through(tmp_path: Path) -> None:
    options = ["--net", "flatten, dense 10", "--schedule", "constant", "--seed", "3"]
    through = result(run("train", *options, "--epochs", "3", "--json"))
    run("train", *options, "--epochs", "1", "--save", tmp_path / "model")
    ran = run("train", "--resume", tmp_path / "model", "--schedule", "constant", "--epochs", "2", "--json")
    assert result(ran)["test_loss"] == through["test_loss"]
    refused = run("train", "--resume", tmp_path / "model", "--seed", "0")
    assert refused.stderr.endswith("--seed is for a new network, the one to resume has its own; leave it out\n")


def test_words_as_labels_are_the_names_of_the_classes(tmp_path: Path) -> None:
    table = tmp_path / "flowers.csv"
    rows = "".join(f"{i % 2},{i % 7},{('rose', 'tulip')[i % 2]}\n" for i in range(40))
    table.write_text("petal,height,kind\n" + rows)
    options = ["--data", table, "--epochs", "30", "--save", tmp_path / "model"]
    assert result(run("train", *options, "--json"))["test_accuracy"] == 1
    shown = run("evaluate", tmp_path / "model", "--data", table, "--confusion").stdout
    assert "rose" in shown and "tulip" in shown
    (tmp_path / "new.csv").write_text("petal,height\n1,3\n0,2\n1,1\n")
    named = run("predict", tmp_path / "model", "--data", tmp_path / "new.csv").stdout
    assert named.split() == ["tulip", "rose", "tulip"]
    table.write_text(rows.replace("rose", "daisy"))
    refused = run("evaluate", tmp_path / "model", "--data", table).stderr
    assert "needs the classes of the training, rose, tulip, found daisy, tulip" in refused


def test_a_failed_check_is_exit_code_1(saved: Path) -> None:
    failed = run("evaluate", saved, "--at-least", "0.999999")
    assert failed.exit_code == 1
    accuracy = result(run("evaluate", saved, "--json"))["accuracy"]
    expected = f"check failed: the accuracy {accuracy:.4f} is below --at-least 0.999999"
    assert failed.stdout.splitlines()[-1] == expected
    assert run("evaluate", saved, "--at-least", "0.1").exit_code == 0
    assert run("train", *SHORT, "--at-least", "1").exit_code == 1


def test_control_c_keeps_and_says_what_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("paperback.cli.train.Shift.__call__", interrupt)
    ran = run("train", *SHORT[:4], "--shift", "1", "--json", "--save", tmp_path / "model")
    assert ran.exit_code == 130 and result(ran)["interrupted"]
    assert load(tmp_path / "model").steps == 0


def test_help_and_version() -> None:
    assert run("--version").stdout == f"paperback, version {__version__}\n"
    text = run("--help").stdout
    for command in ("train", "evaluate", "predict", "summary", "derive"):
        assert command in text
        assert run(command, "--help").exit_code == 0


def test_a_warning_is_a_line(tmp_path: Path) -> None:
    """Where the compiled engine is not to be had, a person reads so once, and JSON stays JSON."""
    (tmp_path / "llvmlite.py").write_text("raise ImportError('not here')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(SOURCE)])}
    command = [sys.executable, "-m", "paperback", "train", "--epochs", "1", "--json"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ran.stderr.startswith("Warning: models run on NumPy, which is slower: ") and ran.stderr.count("\n") == 1
    assert json.loads(ran.stdout)["test_accuracy"] > 0.5


def test_as_a_program_of_its_own() -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "paperback", "train", *SHORT, "--json"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert json.loads(ran.stdout.splitlines()[-1])["test_accuracy"] > 0.5
    broken = subprocess.run(
        [*command[:3], "train", "--data", "/nowhere"], env=environment, capture_output=True, text=True, check=False
    )
    assert broken.returncode == 2 and "Traceback" not in broken.stderr and broken.stderr.startswith("Error: ")
