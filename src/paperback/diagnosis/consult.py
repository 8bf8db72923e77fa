"""The doctor's door: `doctor(forward, backward, args)`, what else it takes, and `assert_gradient` for tests."""

from __future__ import annotations

__all__ = ["assert_gradient", "doctor"]

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from paperback.diagnosis.adapters.jax import jax_pair
from paperback.diagnosis.adapters.model import model_pair
from paperback.diagnosis.adapters.pytorch import torch_pair
from paperback.diagnosis.budget import budget_of
from paperback.diagnosis.chain import examine_chain
from paperback.diagnosis.examination import Examination
from paperback.diagnosis.forms import pair_of
from paperback.diagnosis.pairs import Pair
from paperback.diagnosis.report import Report
from paperback.diagnosis.subject import make_subject


class Doctor:
    """A function with further ones as attributes; there is one, `doctor`."""

    def __call__(
        self,
        forward: Any,
        backward: Callable[..., Any] | None = None,
        args: Any = (),
        *,
        wrt: Sequence[int | str] | int | str | None = None,
        jvp: Callable[..., Any] | None = None,
        seed: int = 0,
        budget: str = "normal",
    ) -> Report:
        """Is `backward` the gradient of `forward` at `args`, and if not, what is wrong with it?

        forward     forward(*args) -> an array or a tuple of them; or an object with `forward` and `backward`
        backward    backward(cotangent, *args) -> the gradient, or a tuple, list or dict of them; None for integers
        args        arrays and numbers of any library, or a dict of keywords
        wrt         the arguments whose gradients are judged, by place or name; all real ones
        jvp         jvp(tangent, *args) -> the output's tangent, to be judged too
        seed        of the random directions and upstream gradients
        budget      "quick", "normal" or "thorough"
        """
        return _judged(pair_of(forward, backward, args, jvp), wrt, jvp, seed, budget)

    def torch(self, function: Any, *args: Any, **settings: Any) -> Report:
        """The gradients that PyTorch computes through a torch.autograd.Function, a module, or a function of tensors.

        The arguments may come one by one, or as a tuple, or as a dict of keywords.
        """
        return _judged(torch_pair(function, args[0] if len(args) == 1 else args), **settings)

    def jax(self, fun: Callable[..., Any], *args: Any, **settings: Any) -> Report:
        """The gradients that JAX computes through a function with a custom derivative."""
        return _judged(jax_pair(fun, args[0] if len(args) == 1 else args), **settings)

    def model(self, model: Any, x: Any, y: Any, loss: Any = None, **settings: Any) -> Report:
        """The gradients of a model of this package, by parameter."""
        return _judged(model_pair(model, x, y, loss), **settings)

    def chain(self, layers: Iterable[Any], args: Any, **settings: Any) -> Report:
        """The first layer of a chain whose backward is wrong, at the values that reach it.

        layers    (forward, backward) pairs, or objects with both; each takes what the one before returns
        """
        return examine_chain(self, layers, args, **settings)


def _judged(
    pair: Pair,
    wrt: Sequence[int | str] | int | str | None = None,
    jvp: Callable[..., Any] | None = None,
    seed: int = 0,
    budget: str = "normal",
) -> Report:
    limits = budget_of(budget)
    asked = pair.wrt if wrt is None else wrt
    subject = make_subject(pair.forward, pair.backward, pair.args, asked, jvp, pair.names)
    subject.stateful, subject.name = pair.stateful, pair.name or subject.name
    return Examination(subject, limits, seed).run()


doctor = Doctor()


def assert_gradient(forward: Any, backward: Callable[..., Any] | None = None, args: Any = (), **settings: Any) -> None:
    """For tests: an AssertionError with the doctor's report where a gradient is wrong, or cannot be judged."""
    __tracebackhide__ = True
    report = doctor(forward, backward, args, **settings)
    if not report.ok:
        raise AssertionError(f"\n{report}")
