"""The commands of the README do what it says: run one after the other on such data, they print those lines.

Times differ from machine to machine, and what is reached by an example or two; all else is word for word.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from paperback import data
from paperback.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
MNIST = ROOT.parent / "shared" / "data" / "mnist"
_REACHED = re.compile(r"[\d,.]+(?= s,)|\d+\.\d+%|\([\d,]+ of|\d+\.\d{4}")  # seconds, accuracy, right ones, loss


def blocks() -> list[list[tuple[str, list[str]]]]:
    """The commands of every console block, each with the lines that it prints."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        commands = block.removeprefix("$ ").split("\n$ ")
        found.append([(command.splitlines()[0], command.splitlines()[1:]) for command in commands])
    return found


BLOCKS = blocks()


def prepare(folder: Path) -> None:
    """The digits of the package as pictures by class, and as a table with words for labels."""
    image = pytest.importorskip("PIL.Image")
    digits = data.load()
    names = "zero one two three four five six seven eight nine".split()
    rows = ["digit," + ",".join(f"p{place}" for place in range(64))]
    for number, (x, y) in enumerate(zip(digits.x[:600], digits.y, strict=False)):
        pixels = np.round(x[..., 0] * 255).astype(np.uint8)
        place = folder / "pictures" / names[y]
        place.mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels).save(place / f"{number}.png")
        rows.append(",".join([names[y], *map(str, pixels.ravel())]))
    (folder / "table.csv").write_text("\n".join(rows) + "\n")


@pytest.mark.parametrize(
    "commands",
    [pytest.param(block, id=block[0][0], marks=[pytest.mark.long] * ("mnist" in block[0][0])) for block in BLOCKS],
)
def test_a_block_of_commands(
    commands: list[tuple[str, list[str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path)
    if any("mnist" in command for command, _ in commands):
        if not MNIST.is_dir():
            pytest.skip("MNIST lies outside the package")
        (tmp_path / "mnist").symlink_to(MNIST)
    for command, expected in commands:
        words = shlex.split(command, comments=True)
        assert words[0] == "paperback"
        ran = CliRunner().invoke(main, words[1:])
        assert ran.exit_code == 0, ran.output
        printed = ran.stdout.splitlines()
        ours, theirs = ([_REACHED.sub("#", line) for line in lines] for lines in (printed, expected))
        assert ours == theirs, ran.stdout
        for line, told in zip(printed, expected, strict=True):
            reached, promised = (re.findall(r"(\d+\.\d+)%", text) for text in (line, told))
            for one, other in zip(reached, promised, strict=True):
                assert abs(float(one) - float(other)) < 2, line


def test_the_blocks_are_there() -> None:
    assert len(BLOCKS) == 3 and sum(map(len, BLOCKS)) == 7


def test_the_tests_are_collected_without_pytorch() -> None:
    """As the test command finds them on a machine that has only Python and pip."""
    block = "import sys; sys.modules['torch'] = None; import pytest; sys.exit(pytest.main(['--collect-only', '-q']))"
    found = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-2000:]
