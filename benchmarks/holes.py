"""Wrong gradients that pass the checkers of PyTorch and JAX by design, each shown to them and to the doctor.

- `check_grads` of JAX, forward mode, multiplies its tolerance by the array's size; reverse mode takes one direction.
- `gradcheck` of PyTorch asks with dense gradients alone, and its slow mode one output at a time.
- `gradcheck(fast_mode=True)` takes one direction: one wrong entry among many hides in it.
"""

from __future__ import annotations

__all__ = ["table", "versions"]

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from paperback.diagnosis import doctor

Array = np.ndarray[Any, Any]
WRONG_TANGENTS: dict[str, Callable[[Array], Array]] = {
    "zeros": lambda t: 0 * t,
    "twice": lambda t: 2 * t,
    "half": lambda t: 0.5 * t,
    "sign": lambda t: -t,
}


def passes(check: Callable[[], Any]) -> bool:
    try:
        check()
    except Exception:  # whatever a checker raises, it has found something
        return False
    return True


def told(report: Any) -> str:
    """What the doctor says, in one cell."""
    first = next((finding for finding in report.findings if finding.judgement == "wrong"), None)
    return f"{first.pattern}" if first is not None else "right"


def tangent(size: int, dtype: str, kind: str) -> tuple[bool, str]:
    """Forward mode of sin, with such tangents: does it pass check_grads, and what does the doctor say?"""
    import jax
    from jax.test_util import check_grads

    change = WRONG_TANGENTS[kind]

    @jax.custom_jvp
    def function(x: Any) -> Any:
        return jax.numpy.sin(x)

    function.defjvp(lambda primals, tangents: (function(*primals), change(jax.numpy.cos(primals[0]) * tangents[0])))
    x = np.random.default_rng(0).normal(size=size).astype(dtype)
    with jax.enable_x64(True):
        passed = passes(lambda: check_grads(function, (x,), order=1, modes=["fwd"]))
    report = doctor(lambda x: np.sin(x), lambda g, x: g * np.cos(x), (x,), jvp=lambda t, x: change(np.cos(x) * t))
    return passed, told(report)


def one_entry_of(size: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """sin, with one entry of the gradient twice as large as it is."""

    def backward(g: Array, x: Array) -> Array:
        d = g * np.cos(x)
        d[size // 3] *= 2
        return d

    return lambda x: np.sin(x), backward


def one_entry_in_jax(size: int) -> bool:
    import jax
    from jax.test_util import check_grads

    @jax.custom_vjp
    def function(x: Any) -> Any:
        return jax.numpy.sin(x)

    function.defvjp(lambda x: (function(x), x), lambda x, g: ((g * jax.numpy.cos(x)).at[size // 3].multiply(2),))
    x = np.random.default_rng(0).normal(size=size).astype("float32")
    return passes(lambda: check_grads(function, (x,), order=1, modes=["rev"]))


def torch_of(backward: Callable[[Any, Any], Any]) -> Any:
    import torch

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return torch.tanh(x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return backward(g, ctx.saved_tensors[0])

    return Function


def reads_on(g: Any, x: Any) -> Any:
    """A kernel that takes strides for those of a dense array: where they are 0, it reads beyond."""
    import torch

    seen = g if 0 not in g.stride() or g.numel() < 2 else torch.full_like(x, float("nan"))
    return seen * (1 - torch.tanh(x) ** 2)


def adds_in_place(g: Any, x: Any) -> Any:
    import torch

    made = g * (1 - torch.tanh(x) ** 2)
    g.add_(made)
    return made


def in_torch(backward: Callable[[Any, Any], Any]) -> tuple[list[str], str]:
    """The modes of gradcheck that it passes, and what the doctor says."""
    import torch

    torch.manual_seed(0)
    x = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    function = torch_of(backward)
    modes = [
        name for name, fast in (("slow", False), ("fast", True))
        if passes(lambda fast=fast: torch.autograd.gradcheck(function.apply, (x,), fast_mode=fast))
    ]  # fmt: skip
    return modes, told(doctor.torch(function, (x,)))


def one_entry_in_torch(seeds: Sequence[int], size: int) -> int:
    """How many seeds let it pass fast mode."""
    import torch

    def backward(g: Any, x: Any) -> Any:
        made = g * (1 - torch.tanh(x) ** 2)
        made[size // 3] *= 2
        return made

    function = torch_of(backward)
    passed = 0
    for seed in seeds:
        torch.manual_seed(seed)
        x = torch.randn(size, dtype=torch.float64, requires_grad=True)
        passed += passes(lambda x=x: torch.autograd.gradcheck(function.apply, (x,), fast_mode=True))
    return passed


def table() -> list[list[object]]:
    """(hole, who lets it through, what the doctor says)."""
    made: list[list[object]] = []
    if find_spec("jax") is not None:
        for size, dtype, kinds in (
            (500, "float32", ("zeros", "twice", "half")), (1001, "float32", ("sign",)),
            (200_000, "float64", tuple(WRONG_TANGENTS)),
        ):  # fmt: skip
            for kind in kinds:
                passed, said = tangent(size, dtype, kind)
                made.append([f"a tangent: {kind}, {size:,} outputs, {dtype}", "jax, forward" * passed, said])
        passed = one_entry_in_jax(10_000)
        said = told(doctor(*one_entry_of(10_000), (np.random.default_rng(0).normal(size=10_000).astype("float32"),)))
        made.append(["one entry of 10,000 doubled, float32", "jax, reverse" * passed, said])
    if find_spec("torch") is not None:
        for note, backward in (
            ("a stride of 0 misread", reads_on),
            ("the upstream gradient added to in place", adds_in_place),
        ):
            modes, said = in_torch(backward)
            made.append([note, f"gradcheck, {' and '.join(modes)}" if modes else "", said])
        count = one_entry_in_torch(range(10), 1000)
        said = told(doctor(*one_entry_of(1000), (np.random.default_rng(0).normal(size=1000),)))
        made.append(
            ["one entry of 1,000 doubled, float64", f"gradcheck, fast, {count} of 10 seeds" * (count > 0), said]
        )
    return made


def versions() -> str:
    import paperback

    found = [f"paperback {paperback.__version__}", f"NumPy {np.__version__}"]
    for name in ("torch", "jax"):
        if find_spec(name) is not None:
            found.append(f"{name} {__import__(name).__version__}")
    return ", ".join(found)
