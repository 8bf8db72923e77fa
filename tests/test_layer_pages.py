"""The pages made from formulas are those that the formulas make, and every layer has one; test_docs runs examples."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

import paperback as pb
from paperback import nn

DOCS = Path(__file__).resolve().parent.parent / "docs"
LAYERS = sorted(set(nn.layers.__all__) - {"Layer"})


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = load()


def test_the_pages_are_up_to_date() -> None:
    late = [str(path) for path in generate.stale()]
    assert not late, f"run `python docs/generate.py`; stale are {', '.join(late)}"


def test_every_layer_has_a_page_and_stands_in_the_index_once() -> None:
    grouped = [name for names in generate.GROUPS.values() for name in names]
    assert sorted(grouped) == LAYERS == sorted(generate.EXAMPLES) and len(LAYERS) > 45
    index = (DOCS / "layers" / "README.md").read_text(encoding="utf-8")
    for name in LAYERS:
        assert (DOCS / "layers" / f"{name.lower()}.md").exists()
        assert index.count(f"[{name}]({name.lower()}.md)") == 1


def test_a_stale_page_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(DOCS, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    page = tmp_path / "layers" / "dense.md"
    page.write_text(page.read_text(encoding="utf-8").replace("w[i,o]*dy[o]", "w[o,i]*dy[o]"), encoding="utf-8")
    (tmp_path / "layers" / "relu.md").unlink()
    (tmp_path / "layers" / "gone.md").write_text("# A layer that is no more\n", encoding="utf-8")
    assert [path.name for path in generate.stale()] == ["dense.md", "gone.md", "relu.md"]


def blocks(page: str, heading: str, language: str) -> list[str]:
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    found = next((part for part in section if part.startswith(f"{heading}\n")), "")
    return re.findall(rf"^```{language}\n(.*?)\n```$", found, flags=re.MULTILINE | re.DOTALL)


def test_what_a_page_says_is_a_formula_again() -> None:
    """Formulas and derivatives are printed so that they read back; every layer but the chain has both."""
    read = 0
    for name in sorted(set(LAYERS) - {"Sequential"}):
        page = (DOCS / "layers" / f"{name.lower()}.md").read_text(encoding="utf-8")
        for heading in ("Formula", "Derivatives"):
            text, *_ = blocks(page, heading, "text")
            assert len(blocks(page, heading, "math")) >= 1, name
            assert str(pb.formula(text)).splitlines()[-1].split(" = ")[0] == text.splitlines()[-1].split(" = ")[0], name
            read += 1
    assert read == 2 * (len(LAYERS) - 1)


def test_every_page_says_what_the_layer_is_for_and_has_an_example() -> None:
    for name in LAYERS:
        words = generate.sections(getattr(nn, name))
        assert words["Use"] and words[""], name
        page = (DOCS / "layers" / f"{name.lower()}.md").read_text(encoding="utf-8")
        (example,) = blocks(page, "Example", "pycon")
        assert example.count(">>>") >= 8 and len(blocks(page, "Settings", "text")) == 0, name
        settings = re.findall(r"^\| `(\w+)` \| ", page.split("## Settings")[1].split("\n## ")[0], flags=re.MULTILINE)
        assert settings == list(generate.inspect.signature(getattr(nn, name)).parameters), name
