"""`paperback rewrite` and `paperback diff`: files in, files and certificates out, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import paperback as pb
from paperback import nn
from paperback.cli.main import main
from paperback.rewrites.rules import RULES


@pytest.fixture
def model(tmp_path: Path) -> Path:
    image = nn.Conv2d(3, 3), nn.BatchNorm(), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    net = nn.Sequential(*image, nn.Dense(4), nn.Sigmoid(), nn.Dense(10))
    path = tmp_path / "model.safetensors"
    pb.Model(net, (8, 8, 1), seed=1).save(path)
    return path


def ran(*words: object, code: int = 0) -> Any:
    """The JSON that a command prints."""
    result = CliRunner().invoke(main, [*map(str, words), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_the_list_without_a_model() -> None:
    found = ran("rewrite", "--list")
    assert [entry["name"] for entry in found["identities"]] == list(RULES)
    text = CliRunner().invoke(main, ["rewrite", "--list"]).stdout
    assert len(text.splitlines()) == len(RULES)


def test_the_list_of_a_model(model: Path) -> None:
    found = ran("rewrite", model, "--list")
    applies = {place["name"] for place in found["places"] if place["applies"]}
    assert applies >= {"fold_batchnorm", "tanh_from_sigmoid", "pool_before_activation", "matrix_from_convolution"}


def test_apply_all_and_compare(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "smaller.safetensors"
    found = ran("rewrite", model, "--apply", "all", "--out", target)
    assert [step["identity"] for step in found["steps"]] == ["pool_before_activation", "fold_batchnorm"]
    assert found["holds"] and found["difference"] <= found["bound"]
    assert all(step["verdict"] == "proved for all sizes" for step in found["steps"])
    x = pb.data.load().x[:50]
    np.testing.assert_allclose(pb.load(target).predict(x), pb.load(model).predict(x), atol=found["bound"])
    answer = ran("diff", model, target)
    assert answer["status"] == "proved" and answer["paths"][0]
    text = CliRunner().invoke(main, ["rewrite", str(model), "--apply", "tanh_from_sigmoid"]).stdout
    assert "dense_1, sigmoid_1, dense_2  ->  " in text and "proved for all sizes" in text


def test_diff_of_two_functions(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    changed = pb.load(model)
    changed.set_parameters({"dense_2.b": changed.parameters["dense_2.b"] + 0.5})
    changed.save(other)
    answer = ran("diff", model, other, code=1)
    assert answer["status"] == "refuted" and len(answer["outputs"]) == 2
    assert CliRunner().invoke(main, ["diff", str(model), str(other)]).stdout.startswith("refuted: an input on which")


def test_what_is_refused_writes_nothing(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.safetensors"
    before = sorted(tmp_path.iterdir())
    found = ran("rewrite", model, "--apply", "merge_dense", "--out", target, code=2)
    assert found["error"] == "rewrite: merge_dense does not apply: there is no Dense, Dense in the model"
    ran("rewrite", model, code=2)
    ran("rewrite", "--apply", "all", code=2)
    ran("rewrite", model, "--list", "--out", target, code=2)
    ran("rewrite", model, "--apply", "all", "--out", tmp_path / "no" / "folder", code=2)
    assert sorted(tmp_path.iterdir()) == before
