"""PyTorch: a torch.autograd.Function, a module with its parameters, or a function of tensors.

The backward that is judged is the one that PyTorch runs: torch.autograd.grad through the function. Gradients that it
does not reach are zeros, as the optimizer would see them.
"""

from __future__ import annotations

__all__ = ["torch_pair"]

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from paperback.diagnosis.pairs import Pair


def torch_pair(function: Any, args: Any) -> Pair:
    """The pair of a function of tensors; the arguments as tensors, a module's parameters after them, by name."""
    import torch

    owner = getattr(function, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
        function = owner  # Function.apply

    def tensor(value: Any) -> Any:
        return torch.as_tensor(value).detach() if hasattr(value, "shape") else value

    given = list(args) if isinstance(args, tuple | list) else [args]
    if isinstance(args, Mapping):
        named = {name: tensor(value) for name, value in args.items()}
    else:
        named = dict(zip(_names(function, len(given)), map(tensor, given), strict=True))
    inputs: list[str] = list(named)
    call: Any = function
    own = isinstance(function, type) and issubclass(function, torch.autograd.Function)
    if own:
        call = getattr(function, "apply")  # noqa: B009  # not typed
    elif isinstance(function, torch.nn.Module):
        named |= {f"parameter {name}": value.detach() for name, value in function.named_parameters()}
        call = None

    def forward(**tensors: Any) -> Any:
        values = {name: tensors[name] for name in inputs}
        placed, keywords = ((), values) if isinstance(args, Mapping) else (tuple(values.values()), {})
        if call is not None:
            return call(*placed, **keywords)
        wide = next((t.dtype for t in tensors.values() if hasattr(t, "dtype") and t.is_floating_point()), None)
        state = {  # a module's own, which lie in memory as PyTorch lays them
            name.removeprefix("parameter "): tensor.contiguous()
            for name, tensor in tensors.items()
            if name.startswith("parameter ")
        }
        buffers = {
            n: b.detach().clone().to(wide if b.is_floating_point() else b.dtype) for n, b in function.named_buffers()
        }
        return torch.func.functional_call(function, {**state, **buffers}, placed, keywords)

    def backward(g: Any, /, **tensors: Any) -> dict[str, Any]:
        leaves = {n: _leaf(t) for n, t in tensors.items()}
        real = {n: t for n, t in leaves.items() if getattr(t, "requires_grad", False)}
        with torch.enable_grad():
            outs = _tensors(forward(**leaves))
        gs = g if isinstance(g, tuple) else (g,)
        pairs = [(o, h) for o, h in zip(outs, gs, strict=True) if getattr(o, "requires_grad", False)]
        found: tuple[Any, ...] = (None,) * len(real)
        if pairs:
            ends, ups = zip(*pairs, strict=True)
            try:
                found = torch.autograd.grad(ends, list(real.values()), ups, allow_unused=True)
            except RuntimeError:  # PyTorch takes no gradient of another shape; the doctor does, and says what it is
                if not own:
                    raise
                raw = function.backward(outs[0].grad_fn, *gs)
                many = raw if isinstance(raw, tuple) else (raw,)
                if len(many) != len(leaves):
                    raise
                return dict(zip(leaves, many, strict=True))
        return {n: torch.zeros_like(t) if d is None else d for (n, t), d in zip(real.items(), found, strict=True)}

    name = getattr(function, "__name__", type(function).__name__)
    return Pair(_detached(forward), backward, named, True, name)


def _leaf(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.detach().requires_grad_(True)
    return value


def _tensors(value: Any) -> list[Any]:
    """The tensors in a result, in order: an LSTM gives (out, (h, c)), other models dicts."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return [tensor for part in value for tensor in _tensors(part)]
    return [value] if hasattr(value, "requires_grad") else []


def _detached(forward: Callable[..., Any]) -> Callable[..., Any]:
    def call(**tensors: Any) -> Any:
        import torch

        with torch.no_grad():
            outs = _tensors(forward(**tensors))
        return outs[0] if len(outs) == 1 else tuple(outs)

    return call


def _names(function: Any, count: int) -> list[str]:
    """The names of the arguments; a Function's come after its ctx."""
    source = function.forward if hasattr(function, "forward") else function
    try:
        names = [name for name in inspect.signature(source).parameters if name not in ("ctx", "self")]
    except (TypeError, ValueError):
        names = []
    return [names[k] if k < len(names) else f"argument {k}" for k in range(count)]
