"""Rows that are looked up are read as vectors: the entries of NumPy, bit for bit, and nothing outside of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engines.llvm.targets import choose_target

import paperback as pb
from paperback import engines
from paperback.engines.llvm.code.evaluate import Evaluator
from paperback.engines.llvm.machine.target import NAMES
from paperback.errors import EngineError

Array = np.ndarray
ROWS, WIDE = 11, 37

# a formula, what NumPy makes of it, and whether the lanes read neighbours
FORMS: dict[str, tuple[Any, bool]] = {
    "y[n,d] = w[t[n],d]": (lambda w, t, u: w[t], True),
    "y[n,m,d] = w[s[n,m],d]": (lambda w, t, u: w[np.stack([t, u], 1)], True),
    "y[n,d] = 2*w[t[n],d+1]": (lambda w, t, u: 2 * w[t, 1:], True),
    "y[n,d] = w[t[n],d] + w[u[n],d]": (lambda w, t, u: w[t] + w[u], True),
    "y[n,d] = w[t[n],36-d]": (lambda w, t, u: w[t][:, ::-1], False),
    "y[d,n] = w[d,t[n]]": (lambda w, t, u: w[:, t], False),
}


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    seen: list[bool] = []
    original = Evaluator._row
    monkeypatch.setenv("PAPERBACK_CACHE", "off")
    monkeypatch.setattr(Evaluator, "_row", lambda self, *given: seen.append(original(self, *given)) or seen[-1])
    return seen


def check(text: str, dtype: str, count: int) -> None:
    rng = np.random.default_rng(count)
    w = rng.standard_normal((ROWS, WIDE)).astype(dtype)
    t, u = rng.integers(0, ROWS, (2, count))
    t[0], t[-1] = 0, ROWS - 1
    block = pb.formula(text, integers="tus").block
    given = {name: a for name, a in {"w": w, "t": t, "u": u, "s": np.stack([t, u], 1)}.items() if name in block.inputs}
    found = engines.run(block, given, {}, "llvm")["y"]
    assert np.array_equal(found, FORMS[text][0](w, t, u)), text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("memory", ["", "memory"])
def test_every_form(name: str, memory: str, rows: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    choose_target(monkeypatch, name)
    monkeypatch.setenv("PAPERBACK_DEBUG", memory)
    for k, text in enumerate(FORMS):
        before = len(rows)
        for count in (1, 5):
            check(text, ("float32", "float64")[k % 2], count)
        assert any(rows[before:]) == FORMS[text][1], text


@pytest.mark.parametrize("wrong", [-1, ROWS, 1 << 40])
def test_what_is_not_in_the_table(wrong: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERBACK_DEBUG", "memory")
    block = pb.formula("y[n,d] = w[t[n],d]", integers="t").block
    with pytest.raises(EngineError, match="out of range"):
        engines.run(block, {"w": np.ones((ROWS, WIDE)), "t": np.array([1, wrong])}, {}, "llvm")


@pytest.mark.usefixtures("ordinary_memory")
def test_the_check_can_fail(rows: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evaluator, "_row", lambda self, *given: self.vector is not None)
    with pytest.raises(AssertionError):
        check("y[n,d] = w[t[n],36-d]", "float32", 5)
