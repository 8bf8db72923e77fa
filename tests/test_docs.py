"""The examples of README and docs run, and print what they say; the printed Program in the README is the real one."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import paperback as pb
from paperback import nn

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_EXAMPLES = [page for page in PAGES if "```pycon" in page.read_text(encoding="utf-8")]


def examples(page: Path) -> list[doctest.Example]:
    """All interactive examples of a page, in order; they share their names."""
    text = page.read_text(encoding="utf-8")
    found = []
    for block in re.finditer(r"^```pycon\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, block.start(1))
        for example in doctest.DocTestParser().get_examples(block.group(1), page.name):
            example.lineno += line
            found.append(example)
    return found


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=[str(page.relative_to(ROOT)) for page in WITH_EXAMPLES])
def test_examples_print_what_they_say(page: Path) -> None:
    found = examples(page)
    assert len(found) >= 3, "a page with examples has some"
    test = doctest.DocTest(found, {}, page.name, str(page), 0, None)
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, out=failures.append)
    assert not runner.failures, "".join(failures)


def test_there_are_pages_with_examples() -> None:
    assert len(WITH_EXAMPLES) >= 2


def sheet_program() -> str:
    net = nn.Sequential(
        nn.Conv2d(32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(64, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dense(128), nn.ReLU(), nn.Dense(10),
    )  # fmt: skip
    return str(pb.Model(net, (28, 28, 1)).program("softmax_cross_entropy", pb.optim.SGD(0.01)))


def test_the_program_in_the_readme_is_the_real_one() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^<!-- program page -->\n```text\n(.*?)\n```$", text, flags=re.MULTILINE | re.DOTALL)
    assert block is not None
    assert block.group(1) == sheet_program()
