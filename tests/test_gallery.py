"""The pictures of the gallery show what the layers give, pixel by pixel up to one step of brightness."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
DOCS = Path(__file__).resolve().parent.parent / "docs"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pictures_are_up_to_date() -> None:
    made = load().pictures()
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    there = {path.stem for path in (DOCS / "pictures").glob("*.png")}
    assert set(made) == there and len(made) == 10
    for name, pixels in made.items():
        assert f"pictures/{name}.png" in page
        shown = np.asarray(Image.open(DOCS / "pictures" / f"{name}.png"))
        assert shown.shape == pixels.shape, name
        assert np.abs(shown.astype(int) - pixels).max() <= 1, f"run python docs/gallery.py: {name} is another picture"


def test_a_stale_picture_is_noticed() -> None:
    made = load().pictures()
    assert np.abs(made["digits"].astype(int) - made["grey"]).max() > 1
