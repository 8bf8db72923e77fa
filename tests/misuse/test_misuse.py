"""Misuses of layers, models, data and the command line: the tables say word for word what each is told.

An entry of a table: @, the code, --, the message. The last line of the code is the misuse, the lines before it prepare;
a line that starts with `paperback` is a command, its message what standard error ends with. Whatever is refused changes
nothing: no file appears, vanishes or changes, and the model's numbers stay what they were.
"""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import paperback as pb
from paperback import learn, nn, optim
from paperback.cli.main import main
from paperback.errors import PaperbackError
from paperback.nn.labels import check_labels

HERE = Path(__file__).parent
LEAST = {"layers": 70, "models": 90, "data": 60, "commands": 60}


def entries(kind: str) -> list[tuple[str, str]]:
    """(code, message) of every entry of a table."""
    text = (HERE / f"{kind}.txt").read_text(encoding="utf-8")
    found = []
    for entry in text.split("\n\n@\n")[1:]:
        code, _, message = entry.partition("\n--\n")
        found.append((code, message.rstrip("\n")))
    return found


CASES = [(kind, code, message) for kind in LEAST for code, message in entries(kind)]

MODEL = pb.Model(nn.Sequential(nn.Conv2d(2, 3), nn.ReLU(), nn.Flatten(), nn.Dense(3)), (4, 5, 1))
DIGITS = pb.Model(nn.Sequential(nn.Flatten(), nn.Dense(10)), (8, 8, 1))
SCENE: dict[str, Any] = {
    "pb": pb, "nn": nn, "np": np, "optim": optim, "learn": learn, "Path": Path, "model": MODEL, "digits": DIGITS,
    "check_labels": check_labels,
    "x": np.zeros((6, 4, 5, 1)), "y": np.array([0, 1, 2, 0, 1, 2]),
}  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_tables_are_there() -> None:
    count = Counter(kind for kind, _, _ in CASES)
    assert all(count[kind] >= least for kind, least in LEAST.items()), count
    assert len({(kind, message) for kind, _, message in CASES}) >= 0.9 * len(CASES)
    assert len({code for _, code, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(("kind", "code", "message"), CASES, ids=[f"{k}: {c.splitlines()[-1]}" for k, c, _ in CASES])
def test_misuse(kind: str, code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scene = dict(SCENE)
    *before, misuse = code.splitlines()
    if any("PIL" in line for line in before):
        pytest.importorskip("PIL")
    exec("\n".join(before), scene)
    numbers, files = MODEL._state, contents(tmp_path)
    if misuse.startswith("paperback"):
        ran = CliRunner().invoke(main, shlex.split(misuse)[1:])
        assert ran.exit_code == 2, ran.output
        assert isinstance(ran.exception, SystemExit), ran.exception
        assert ran.stderr.rstrip("\n").endswith(f"Error: {message}"), ran.stderr
    else:
        with pytest.raises((PaperbackError, AttributeError)) as caught:
            eval(misuse, scene)
        assert str(caught.value) == message
    assert MODEL._state is numbers
    assert contents(tmp_path) == files


def test_every_message_says_what_to_change() -> None:
    """A fix follows the last colon or semicolon, or is a question, or the hint under a formula."""
    silent = [message for _, _, message in CASES if not any(sign in message for sign in (": ", "; ", "?", "\n"))]
    assert not silent
