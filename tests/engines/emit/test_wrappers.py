"""autograd.Function and custom_vjp: their gradients are those that PyTorch and JAX derive from the forward text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.calculus.formulas import CASES, Case
from tests.engines.emit.running import call, given_to, load, needs, spelled, wanted
from tests.engines.emit.test_formulas import arrays_of

import paperback as pb

TORCH = [case for case in CASES if case.floats][::2]
NAMED = {"groups", "max pool", "embedding lookup", "focal loss"}
JAX = [
    pytest.param(case, id=case.id, marks=() if case.id in ("groups", "embedding lookup") else pytest.mark.long)
    for case in CASES
    if case.floats and (case.id in NAMED or CASES.index(case) % 7 == 0)
]


def given(case: Case, target: str) -> dict[str, Any]:
    formula = case.formula()
    sizes = {name: size for name, size in case.sizes.items() if name in formula.block.size_names}
    return {**{n: given_to(target, v) for n, v in arrays_of(case).items()}, **sizes}


def arguments(text: str, name: str, values: dict[str, Any]) -> list[Any]:
    """The values in the order in which a wrapper takes them."""
    line = next(line for line in text.splitlines() if line.strip().startswith(name))
    names = line[line.index("(") + 1 : line.rindex("):")].split(", ")
    known = spelled(values)
    return [known[n] for n in names if n != "ctx"]


@pytest.mark.parametrize("case", TORCH, ids=[case.id for case in TORCH])
def test_torch_derives_the_same(case: Case) -> None:
    torch = pytest.importorskip("torch")
    needs("torch")
    formula = case.formula()
    text = formula.source("torch", "autograd", name="function")
    space: dict[str, Any] = {}
    exec(compile(text, "<emitted>", "exec"), space)
    values = given(case, "torch")
    leaves = [values[name].requires_grad_() for name in case.floats]
    ours = space["Function"].apply(*arguments(text, "def forward(ctx", values))
    plain = load(formula.source("torch"), "forward")
    theirs = plain(**wanted(plain, values))
    torch.testing.assert_close(ours, theirs)
    cotangent = torch.randn(ours.shape, dtype=ours.dtype, generator=torch.Generator().manual_seed(0))
    found = torch.autograd.grad(ours, leaves, cotangent)
    right = torch.autograd.grad(theirs, leaves, cotangent, allow_unused=True)
    for name, a, b in zip(case.floats, found, right, strict=True):
        torch.testing.assert_close(a, torch.zeros_like(a) if b is None else b, msg=lambda m, n=name: f"{n}: {m}")
    assert len(found) == len(case.floats)


@pytest.mark.parametrize("case", JAX)
def test_jax_derives_the_same(case: Case) -> None:
    jax = pytest.importorskip("jax")
    needs("jax")
    formula = case.formula()
    text = formula.source("jax", "custom_vjp", name="function")
    space: dict[str, Any] = {}
    exec(compile(text, "<emitted>", "exec"), space)
    values = given(case, "jax")
    ordered = arguments(text, "def function(", values)
    plain = load(formula.source("jax"), "forward")
    floats = tuple(k for k, v in enumerate(ordered) if hasattr(v, "dtype") and v.dtype.kind == "f")
    weights = np.random.default_rng(0).standard_normal(plain(*ordered).shape)

    def loss(function: Any) -> Any:
        return jax.grad(lambda *arrays: (function(*arrays) * weights).sum(), argnums=floats)(*ordered)

    found, right = loss(space["function"]), loss(plain)
    for a, b in zip(found, right, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)
    assert len(found) == len(case.floats)


def test_a_wrapper_passes_sizes_and_scalars_on() -> None:
    torch = pytest.importorskip("torch")
    formula = pb.formula("y[t] = s*sum(i,p) [t == 2*i+p]*x[i]*w[p] where x: I, w: P, t < N, s scalar", free="N")
    text = formula.source("torch", "autograd", name="spread")
    space: dict[str, Any] = {}
    exec(compile(text, "<emitted>", "exec"), space)
    x, w = torch.ones(3, requires_grad=True), torch.ones(2)
    result = space["Spread"].apply(x, w, *([torch.ones(6)] if ", free" in text else []), 0.5)
    assert result.tolist() == [0.5] * 6
    result.sum().backward()
    assert x.grad.tolist() == [1.0] * 3


def test_jit_and_vmap_of_the_emitted_text() -> None:
    jax = pytest.importorskip("jax")
    needs("jax")
    formula = pb.formula("y[i,k] = sum(p,c) x[2*i+p-1,c]*w[p,c,k] where x: H C, x pads 0, i < floor((H-1)/2)+1")
    vjp = load(formula.source("jax", "vjp"), "vjp")
    rng = np.random.default_rng(0)
    x, w, dy = rng.standard_normal((4, 7, 2)), rng.standard_normal((3, 2, 5)), rng.standard_normal((4, 4, 5))
    mapped = jax.jit(jax.vmap(vjp, in_axes=(0, None, 0)))(x, w, dy)
    for n in range(4):
        for got, right in zip(mapped, call("numpy", load(formula.source("numpy", "vjp"), "vjp"),
                                           {"x": x[n], "w": w, "dy": dy[n]}), strict=True):  # fmt: skip
            np.testing.assert_allclose(got[n], right, rtol=1e-9, atol=1e-10)
