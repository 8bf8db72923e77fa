"""`read(show(block)) == block`: for what people write, and for random trees; and printing twice gives the same text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.notation.formulas import GOOD
from tests.notation.random_blocks import Maker, is_readable

from paperback.notation.read import read
from paperback.notation.show import show
from paperback.notation.walk import canonical


@pytest.mark.parametrize(("text", "declared"), GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("bounded", [False, True])
def test_good_formulas_read_back(text: str, declared: dict[str, Any], bounded: bool) -> None:
    block = read(text, **declared)
    again = read(show(block, bounded=bounded), updates=declared.get("updates", False))
    assert again == block
    assert show(again, bounded=bounded) == show(block, bounded=bounded)
    assert {(f.relation, str(f.size)) for f in again.facts} == {(f.relation, str(f.size)) for f in block.facts}


def test_good_formulas_are_many() -> None:
    assert len(GOOD) >= 50


def _check(seed: int) -> bool:
    block = Maker(seed).block()
    if not is_readable(block):
        return False
    text = show(block)
    again = read(text)
    assert again == block, text
    assert show(again) == text
    return True


def test_random_trees_read_back() -> None:
    assert sum(_check(seed) for seed in range(600)) >= 590


@given(st.integers(min_value=1000))
@settings(max_examples=100, deadline=None)
def test_any_random_tree_reads_back(seed: int) -> None:
    _check(seed)


def test_equality_sees_every_part() -> None:
    """A comparison that finds everything equal would make the laws above worthless."""
    texts = [
        "y[i] = x[i]*z[i]",
        "y[i] = z[i]*x[i]",
        "y[i] = x[i] + z[i]",
        "y[i] = x[i]*z[i] where i < 3, x: 4, z: 4",
        "y[i] = x[i]*z[i]^2",
        "y[i] = x[i]*z[i] where z int",
        "y[i] = x[i]*z[i] where x: H, z: H",
        "y[i] = x[i]*z[i]*t where t scalar",
        "y[i] = sum(j) x[j]*z[i]",
        "y[i] = sum(j) x[i]*z[j]",
        "y[i] = max(j) x[j]*z[i]",
        "y[i] = sum(j | j <= i) x[j]*z[i]",
        "y[i] = [i < 2]*x[i]*z[i] where i < 3, x: 3, z: 3",
        "y[i] = [i <= 2]*x[i]*z[i] where i < 3, x: 3, z: 3",
        "y[i] = phi(x[i])*z[i] where phi function",
        "y[i] = phi(x[i])*z[i] where phi increasing",
        "y[i] = x[i-1]*z[i] where x pads 0, i < 3, x: 3, z: 3",
        "y[i] = x[i-1]*z[i] where x pads 1, i < 3, x: 3, z: 3",
    ]
    blocks = [read(text) for text in texts]
    same = [(a, b) for a in range(len(blocks)) for b in range(a) if blocks[a] == blocks[b]]
    assert not same


def test_names_of_letters_do_not_matter() -> None:
    assert read("y[i] = sum(p) x[i+p]*w[p]", axes={"w": "P", "x": "H"}) == read(
        "y[a] = sum(b) x[b+a]*w[b]", axes={"w": "P", "x": "H"}
    )
    assert canonical(read("y = sum(p) (sum(q) x[q])*x[p]", axes={"x": "H"}).result) == canonical(
        read("y = sum(i) (sum(j) x[j])*x[i]", axes={"x": "H"}).result
    )
