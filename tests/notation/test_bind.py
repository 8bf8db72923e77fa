"""Sizes from shapes and by name: what no array gives is passed, what is linear is solved, what disagrees is told."""

from __future__ import annotations

import numpy as np
import pytest

from paperback import formula
from paperback.errors import EngineError
from paperback.notation.bind import bind_sizes
from paperback.notation.read import read


def test_sizes_that_no_array_gives_are_passed_by_name() -> None:
    scaled = formula("y[i] = x[i]*N where N size, x: H")
    assert scaled(x=np.ones(2), N=3).tolist() == [3, 3]
    with pytest.raises(EngineError, match=r"no array gives the size N; pass N=\.\.\."):
        scaled(x=np.ones(2))
    assert formula("y = sum(p<P) 2*p where P size")(P=4) == 12
    assert formula("y[i] = [i < M]*x[i] where x: H, i < H, M size")(x=np.ones(3), M=2).tolist() == [1, 1, 0]


def test_every_place_of_a_size_counts() -> None:
    sizes = ", ".join(f"{name} size" for name in "ABCDEF")
    text = "y[i] = A + sum(p<B) [C | i]*[p < D]*x[E*i,p] where x pads 0, i < F, "
    assert read(text + sizes).size_names >= set("ABCDEF")


def test_linear_axes_are_solved() -> None:
    block = read("y[g] = x[2*g]+x[2*g+1] where x: (2*G), g < G")
    assert bind_sizes(block, {"x": (6,)}) == {"G": 3}
    with pytest.raises(EngineError, match=r"an axis 2\*G has 5 entries; no whole number G gives that"):
        bind_sizes(block, {"x": (5,)})
    mixed = read("y[i] = sum(j) x[i]*w[j] where x: (s*G+K), w: K, s size")
    assert bind_sizes(mixed, {"x": (11,), "w": (2,)}, {"s": 3}) == {"G": 3, "K": 2, "s": 3}
