"""The gradient checkers that PyTorch and JAX have, asked about a forward and a backward in NumPy.

Each gets the pair in its own dress, a `torch.autograd.Function` and a `jax.custom_vjp`, and its documented defaults:
float64, one order, all outputs. JAX hands contiguous copies to every callback: what goes wrong with strides alone, or
with what is written into, cannot show there. A checker that raises has found something; what it says is kept.
"""

from __future__ import annotations

__all__ = ["CHECKERS", "Answer", "Checker"]

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

Pair = tuple[Callable[..., Any], Callable[..., Any]]


@dataclass(frozen=True)
class Answer:
    """Whether a checker holds the gradient for right, what it said, and how long that took."""

    right: bool
    said: str
    seconds: float

    @property
    def disagrees(self) -> bool:
        """It compared, and the numbers differ; other errors say that it could not be asked."""
        return self.said.startswith(("GradcheckError", "AssertionError"))


@dataclass(frozen=True)
class Checker:
    title: str
    module: str
    ask: Callable[[Pair, Sequence[Any]], None]  # raises where the gradient is wrong

    @property
    def installed(self) -> bool:
        return find_spec(self.module) is not None

    def __call__(self, pair: Pair, arguments: Sequence[Any]) -> Answer:
        start = time.perf_counter()
        said = ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.ask(pair, arguments)
            except Exception as error:  # whatever it is, the user sees it
                said = f"{type(error).__name__}: {error}"
        return Answer(not said, said, time.perf_counter() - start)


def tupled(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def torch_function(pair: Pair, places: Sequence[int], count: int) -> Any:
    """A `torch.autograd.Function` of the pair; gradients for the arguments at these places."""
    import torch

    forward, backward = pair

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.save_for_backward(*tensors)
            made = forward(*(tensor.detach().numpy() for tensor in tensors))
            if isinstance(made, tuple):
                return tuple(torch.tensor(np.array(part)) for part in made)
            return torch.tensor(np.array(made))

        @staticmethod
        def backward(ctx: Any, *g: Any) -> Any:
            parts = tuple(part.detach().numpy() for part in g)
            saved = (tensor.detach().numpy() for tensor in ctx.saved_tensors)
            given = list(tupled(backward(parts if len(parts) > 1 else parts[0], *saved)))
            if len(given) == len(places) < count:
                given = [given[places.index(k)] if k in places else None for k in range(count)]
            return tuple(None if d is None else torch.tensor(np.array(d)) for d in given)

    return Function.apply


def gradcheck(fast: bool) -> Callable[[Pair, Sequence[Any]], None]:
    def ask(pair: Pair, arguments: Sequence[Any]) -> None:
        import torch

        torch.manual_seed(0)
        tensors = [torch.tensor(np.array(x)) for x in arguments]
        places = [k for k, tensor in enumerate(tensors) if tensor.is_floating_point()]
        for k in places:
            tensors[k].requires_grad_()
        torch.autograd.gradcheck(torch_function(pair, places, len(tensors)), tensors, fast_mode=fast)

    return ask


def jax_function(pair: Pair, arguments: Sequence[Any]) -> tuple[Callable[..., Any], list[Any]]:
    """A `jax.custom_vjp` of the pair in its real arguments, and these."""
    import jax

    forward, backward = pair
    places = [k for k, x in enumerate(arguments) if np.asarray(x).dtype.kind == "f"]
    real = [np.asarray(arguments[k]) for k in places]

    def whole(values: Sequence[Any]) -> list[Any]:
        given = [np.asarray(x) for x in arguments]
        for k, value in zip(places, values, strict=True):
            given[k] = np.asarray(value)
        return given

    shapes = jax.tree.map(lambda y: jax.ShapeDtypeStruct(np.shape(y), np.asarray(y).dtype), forward(*whole(real)))
    inputs = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in real)

    def pulled(g: Any, *values: Any) -> Any:
        numbers = tuple(map(np.asarray, g)) if isinstance(g, tuple) else np.asarray(g)
        given = tupled(backward(numbers, *whole(values)))
        chosen = given if len(given) == len(places) else [given[k] for k in places]
        return tuple(np.zeros_like(x) if d is None else np.asarray(d) for d, x in zip(chosen, values, strict=True))

    @jax.custom_vjp
    def function(*values: Any) -> Any:
        return jax.pure_callback(lambda *v: jax.tree.map(np.asarray, forward(*whole(v))), shapes, *values)

    function.defvjp(
        lambda *values: (function(*values), values),
        lambda values, g: jax.pure_callback(pulled, inputs, g, *values),
    )
    return function, real


def check_grads(pair: Pair, arguments: Sequence[Any]) -> None:
    import jax
    from jax.test_util import check_grads

    logging.getLogger("jax").setLevel(logging.CRITICAL)  # it would print what is raised
    with jax.enable_x64(True):
        function, real = jax_function(pair, arguments)
        check_grads(function, real, order=1, modes=["rev"])


CHECKERS = {
    "gradcheck": Checker("torch gradcheck", "torch", gradcheck(False)),
    "fast": Checker("torch gradcheck, fast mode", "torch", gradcheck(True)),
    "jax": Checker("jax check_grads, reverse", "jax", check_grads),
}
