"""The holes of the benchmark are holes: the other checkers let these gradients through, and the doctor does not."""

from __future__ import annotations

import pytest
from benchmarks import holes
from benchmarks.checkers import CHECKERS

needs_torch = pytest.mark.skipif(not CHECKERS["gradcheck"].installed, reason="PyTorch is not installed")
needs_jax = pytest.mark.skipif(not CHECKERS["jax"].installed, reason="JAX is not installed")


@needs_torch
def test_a_stride_of_0_passes_gradcheck() -> None:
    assert holes.in_torch(holes.reads_on) == (["slow", "fast"], "stride0")


@needs_torch
def test_adding_in_place_passes_slow_mode() -> None:
    assert holes.in_torch(holes.adds_in_place) == (["slow"], "mutates-cotangent")


@needs_torch
def test_one_entry_of_a_thousand_passes_fast_mode() -> None:
    assert holes.one_entry_in_torch(range(3), 1000) == 3


@needs_jax
@pytest.mark.parametrize("kind", holes.WRONG_TANGENTS)
def test_wrong_tangents_pass_forward_mode(kind: str) -> None:
    passed, said = holes.tangent(1500, "float32", kind)
    assert passed and said != "right"


@needs_jax
def test_one_entry_of_ten_thousand_passes_reverse_mode() -> None:
    assert holes.one_entry_in_jax(10_000)
