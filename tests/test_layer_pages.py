"""The pages made from formulas are those that the formulas make, and every layer has one; test_docs runs examples."""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
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


SCALARS = {"slope": 0.1, "alpha": 1.5, "low": -0.5, "high": 0.75, "eps": 0.1, "keep": 0.5}
SIZES = {"H": 4, "W": 6, "D": 3, "I": 6, "L": 6, "N": 3, "C": 2, "P": 2, "Q": 3, "O": 2, "R": 3, "T": 3}


def size(text: str) -> int:
    names = {name: SIZES.get(name, 2) for name in re.findall(r"[A-Z]\w*", text)}
    return int(eval(text, {"floor": math.floor, "ceil": math.ceil, **names}))


def arrays(formula: pb.Formula, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Random values for what a formula reads; ids are 0 or 1."""
    shapes = {name: tuple(map(size, axes)) for name, axes in formula.inputs.items()}
    return {
        name: random.integers(0, 2, shape) if formula.block.inputs[name].integer else random.standard_normal(shape)
        for name, shape in shapes.items()
    }


def test_the_derivatives_on_a_page_are_those_of_its_formula() -> None:
    """Both as they are printed: central differences of the one along random directions, the other read and run."""
    compared, random = 0, np.random.default_rng(3)
    for name in sorted(set(LAYERS) - {"Sequential"}):
        page = (DOCS / "layers" / f"{name.lower()}.md").read_text(encoding="utf-8")
        forward, backward = (pb.formula(blocks(page, heading, "text")[0]) for heading in ("Formula", "Derivatives"))
        layer, given = eval(generate.EXAMPLES[name].layer, {"pb": pb}), arrays(forward, random)
        known = {**SCALARS, **{k: SIZES.get(k, 2) for k in forward.block.size_names | backward.block.size_names}}
        scalars = {key: known[key] for key in (*forward.block.scalars, *forward.block.size_names)}
        own = {key: known[key] for key in (*backward.block.scalars, *backward.block.size_names)}
        result = forward(**given, **scalars)
        above = random.standard_normal(result.shape)
        values = {**given, "dy": above}
        gradients = backward.all(**{key: values[key] for key in backward.inputs}, **own)
        for tensor, value in given.items():
            if value.dtype == np.int64 or tensor not in ("x", *layer.parameters, *layer.branches):
                continue  # ids, masks and given weights have no gradient
            direction = random.standard_normal(value.shape)
            ahead, behind = (forward(**{**given, tensor: value + h * direction}, **scalars) for h in (1e-6, -1e-6))
            slope = np.sum(above * (ahead - behind)) / 2e-6
            np.testing.assert_allclose(np.sum(direction * gradients[f"d{tensor}"]), slope, rtol=1e-5, atol=1e-7)
            compared += 1
    assert compared >= 80


def test_every_page_says_what_the_layer_is_for_and_has_an_example() -> None:
    for name in LAYERS:
        words = generate.sections(getattr(nn, name))
        assert words["Use"] and words[""], name
        page = (DOCS / "layers" / f"{name.lower()}.md").read_text(encoding="utf-8")
        (example,) = blocks(page, "Example", "pycon")
        assert example.count(">>>") >= 8 and len(blocks(page, "Settings", "text")) == 0, name
        settings = re.findall(r"^\| `(\w+)` \| ", page.split("## Settings")[1].split("\n## ")[0], flags=re.MULTILINE)
        assert settings == list(generate.inspect.signature(getattr(nn, name)).parameters), name
