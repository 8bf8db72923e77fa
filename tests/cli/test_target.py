"""Numbers to predict from a table: train, evaluate, predict, report, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import paperback as pb
from paperback.cli.main import main
from paperback.data.tables import read_targets


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """price = 3000*area - 20000*age + 500000, and a column that says nothing."""
    rng = np.random.default_rng(0)
    area, age, noise = rng.uniform(20, 200, 240), rng.uniform(0, 60, 240), rng.uniform(0, 1, 240)
    price = 3000 * area - 20000 * age + 500000
    lines = [f"{a:.2f},{p:.2f},{g:.2f},{z:.3f}" for a, p, g, z in zip(area, price, age, noise, strict=True)]
    path = tmp_path / "houses.csv"
    path.write_text("\n".join(["area,price,age,noise", *lines]) + "\n")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), "--engine", "numpy"])


def test_a_table_is_split_into_features_and_targets(table: Path) -> None:
    numbers = np.loadtxt(table, delimiter=",", skiprows=1)
    for target in ("price", 1, -3):
        found = pb.data.load(table, target=target)
        assert isinstance(found, pb.data.Dataset)
        assert found.is_numbers
        assert np.array_equal(found.x, numbers[:, [0, 2, 3]].astype(np.float32))
        assert np.array_equal(found.y, numbers[:, 1:2].astype(np.float32))
    train, test = pb.data.load_splits(table, target="price", held_out=0.25, seed=3)
    assert (len(train), len(test)) == (180, 60)
    both = np.concatenate([train.y, test.y]).ravel()
    assert np.array_equal(np.sort(both), np.sort(numbers[:, 1].astype(np.float32)))
    assert not np.array_equal(test.y, pb.data.load_splits(table, target="price", held_out=0.25, seed=4)[1].y)


def test_regression_from_a_table_end_to_end(table: Path, tmp_path: Path) -> None:
    model, page = tmp_path / "model", tmp_path / "page.html"
    ran = run("train", "--data", table, "--target", "price", "--save", model, "--epochs", 15,
              "--report", page, "--at-least", 0.95)  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert "192 examples of 3 for price" in ran.output
    assert "test mean absolute error " in ran.output
    assert "R²" in page.read_text()
    told = json.loads(run("evaluate", model, "--data", table, "--target", "price", "--json").stdout)
    loaded = pb.load(model, engine="numpy")
    _, test = pb.data.load_splits(table, target="price", seed=0)
    output = loaded.predict(test.x).astype(float)
    error, spread = np.square(output - test.y).sum(), np.square(test.y - test.y.mean()).sum()
    assert told["mean_absolute_error"] == pytest.approx(np.abs(output - test.y).mean(), rel=1e-6)
    assert told["r2"] == pytest.approx(1 - error / spread, rel=1e-5)
    assert told["r2"] > 0.95
    assert told["examples"] == 48
    lines = run("predict", model, "--data", table, "--target", "price", "--limit", 3).stdout.split()
    first = read_targets(table, "price")[0][:3]
    assert [float(line) for line in lines] == pytest.approx(loaded.predict(first).ravel().tolist())
    again = run("report", model, "--out", tmp_path / "again.html")
    assert again.exit_code == 0, again.output
    assert run("train", "--resume", model, "--data", table, "--target", "price", "--epochs", 1).exit_code == 0
    ran = run("evaluate", model, "--data", table, "--target", "price", "--at-least", 1)
    assert ran.exit_code == 1
    assert "is below --at-least 1" in ran.output


BAD = [
    ("train --target price", "--target is of a CSV file, the digits have classes; pass --data too"),
    ("train --data TABLE --target price --label area", "--target is in place of --label; leave it out"),
    ("train --data TABLE --target pric", "no column is called 'pric'; did you mean price?"),
    ("train --data TABLE --label price", "a column of numbers to predict is target= (--target)"),
    ("evaluate MODEL --data TABLE", "--target is missing, and the model gives numbers; say which column holds them"),
    ("evaluate MODEL --data TABLE --target price --confusion", "--confusion is of classes, --target has none"),
    ("train --resume MODEL --data TABLE", "--target is missing, and the model gives numbers"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[arguments for arguments, _ in BAD])
def test_what_is_refused(arguments: str, message: str, table: Path, tmp_path: Path) -> None:
    model = pb.Model(pb.nn.Dense(1), (3,), engine="numpy")
    data = pb.data.load(table, target="price")
    assert isinstance(data, pb.data.Dataset)
    model.fit(data.x / 1e6, data.y / 1e6, loss="mean_squared_error")
    model.save(tmp_path / "model")
    words = arguments.replace("TABLE", str(table)).replace("MODEL", str(tmp_path / "model")).split()
    ran = run(*words)
    assert ran.exit_code == 2, ran.output
    assert message in ran.stderr


def test_a_model_for_classes_has_no_target(table: Path, tmp_path: Path) -> None:
    pb.Model(pb.nn.Dense(2), (3,), engine="numpy").save(tmp_path / "model")
    ran = run("evaluate", tmp_path / "model", "--data", table, "--target", "price")
    assert ran.exit_code == 2
    assert "--target is for models that give numbers, this one gives classes; leave it out" in ran.stderr
    with pytest.raises(pb.DataError, match="target is a column of CSV in place of label, found label='age' too"):
        pb.data.load(table, target="price", label="age")
