"""Optimizers: each is a formula for one element of a parameter.

    gradient descent     w' = w - lr*g                                             claim E31 (g is the batch's mean)
    momentum             u = mu*v + g,  v' = u,  w' = w - lr*u                     Polyak 1964, as PyTorch writes it
    Nesterov             u = mu*v + g,  v' = u,  w' = w - lr*(g + mu*u)            Sutskever et al. 2013
    RMSProp              v' = a*v + (1-a)*g^2,  w' = w - lr*g/(sqrt(v') + eps)     Tieleman and Hinton 2012
    Adam                 m' = b1*m + (1-b1)*g,  v' = b2*v + (1-b2)*g^2
                         w' = w - lr*(m'/(1-b1^t)) / (sqrt(v'/(1-b2^t)) + eps)     Kingma and Ba 2015
    AdamW                Adam, and w' loses lr*decay*w besides                     Loshchilov and Hutter 2019

With `weight_decay`, all others add decay*w to g first. With `clip`, all take min(clip/(norm + 1e-6), 1)*g for g, where
norm is the root of the sum of the squares of all gradients: Pascanu, Mikolov and Bengio 2013, as PyTorch writes it.

The formula is lifted over the parameter's axes, renamed to the parameter's tensors, and joins the training step as
statements and updates like any others. Constants are exact decimals inside the formula; `lr` and the step count `t`
(1 in the first step) are scalars, given anew for every step. No derivative is taken here.
"""

from __future__ import annotations

__all__ = ["NORM", "SGD", "Adam", "AdamW", "Optimizer", "RMSProp", "find_optimizer", "from_config"]

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, ClassVar, NoReturn

from paperback.arguments import Strict, absent
from paperback.errors import ModelError
from paperback.notation.expr import Statement
from paperback.notation.read import read
from paperback.notation.walk import map_statement, rename_tensors
from paperback.program.lift import depends_on, lift
from paperback.program.program import Program, ProgramTensor

NORM = "gradient.norm"  # the tensor that holds it, where gradients are clipped
_FACTOR = "gradient.factor"
_LETTERS = ("i", "j", "k", "l", "p", "q", "r", "s")  # of a parameter's axes, in order


@dataclass(frozen=True)
class Optimizer(metaclass=Strict):
    """How parameters follow their gradients.

    A subclass gives `formula`, the text for one element: it reads `w[]` (the parameter), `g[]` (its gradient) and the
    tensors named in `state`, assigns `w` and every state, and may name intermediates first. State starts at zero.

    clip    the largest norm that all gradients together may have; what is longer is scaled down to it. None: no limit
    """

    lr: float
    clip: float | None = field(default=None, kw_only=True)

    scalars: ClassVar[tuple[str, ...]] = ("lr",)

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            if setting.type in ("float", float):
                object.__setattr__(self, setting.name, _number(self, setting.name, value))
        if self.clip is not None:
            if not _is_number(self.clip) or self.clip == 0:
                raise ModelError(
                    f"{type(self).__name__}: clip is the largest norm of the gradient, a number above 0, found "
                    f"{self.clip!r}; leave it out for no limit"
                )
            object.__setattr__(self, "clip", float(self.clip))

    @property
    def formula(self) -> str:
        raise NotImplementedError

    @property
    def state(self) -> tuple[str, ...]:
        """Names of the tensors kept for every parameter."""
        return ()

    def values(self, step: int) -> dict[str, float]:
        """The scalars of one step; steps count from 1."""
        return {name: float(step) if name == "t" else self.lr for name in self.scalars}

    def config(self) -> dict[str, Any]:
        """The constructor's arguments under the class's name, for JSON; `from_config` reads it back."""
        return {"class": type(self).__name__, **asdict(self)}

    def attach(self, program: Program, gradients: Mapping[str, str]) -> Program:
        """The program with the updates of these parameters.

        gradients   parameter -> the tensor that holds its gradient
        State is called `<parameter>.<state>`, intermediates likewise; what depends on scalars only is computed once.
        """
        signals = ("w", "g", *self.state)
        block = read(self.formula, axes=dict.fromkeys(signals, ()), scalars=self.scalars, updates=True)
        per_element = depends_on(block.statements, signals)
        if self.clip is not None and gradients:
            program, gradients = _clipped(program, gradients, self.clip)
        tensors, statements, updates = dict(program.tensors), list(program.statements), dict(program.updates)
        for scalar in self.scalars:
            tensors.setdefault(scalar, ProgramTensor(scalar, (), "scalar"))
        for statement in block.statements:
            if statement.target not in per_element:
                once = _renamed(statement, self._shared(block.statements, per_element))
                statements.append(once)
                tensors[once.target] = ProgramTensor(once.target, (), "intermediate")
        for parameter, gradient in gradients.items():
            axes = tensors[parameter].axes
            names = self._shared(block.statements, per_element)
            names |= {name: f"{parameter}.{name}" for name in per_element} | {"w": parameter, "g": gradient}
            tensors |= {names[s]: ProgramTensor(names[s], axes, "optimizer") for s in self.state}
            lifted = lift(block, signals, list(zip(_LETTERS, axes, strict=False)))
            for statement in lifted.statements:
                own = _renamed(statement, names)
                if statement.target in signals:
                    updates[own.target] = own
                elif statement.target in per_element:
                    statements.append(own)
                    tensors[own.target] = ProgramTensor(own.target, axes, "intermediate")
        return replace(program, tensors=tensors, statements=tuple(statements), updates=updates)

    def _shared(self, statements: tuple[Statement, ...], per_element: set[str]) -> dict[str, str]:
        """Names of what is computed once: `c` of Adam is `adam.c`."""
        word = type(self).__name__.lower()
        return {s.target: f"{word}.{s.target}" for s in statements if s.target not in per_element}


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent on batches; with `momentum`, heavy-ball or Nesterov; `weight_decay` adds decay*w to g.

    Defined as PyTorch's SGD: the velocity starts at 0 and is not multiplied by the learning rate. Source: claim E31.
    """

    lr: float = 0.1
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _past(self, "momentum", "momentum=0.9")
        if self.nesterov and not self.momentum:
            raise ModelError("SGD: Nesterov's step needs a momentum, momentum is 0; pass momentum=0.9")

    @property
    def state(self) -> tuple[str, ...]:
        return ("v",) if self.momentum else ()

    @property
    def formula(self) -> str:
        mu = _decimal(self.momentum)
        lines, g = _decay(self.weight_decay)
        if not self.momentum:
            return "\n".join([*lines, f"w = w[] - lr*{g}"])
        step = f"({g} + {mu}*u)" if self.nesterov else "u"
        return "\n".join([*lines, f"u = {mu}*v[] + {g}", "v = u", f"w = w[] - lr*{step}"])


@dataclass(frozen=True)
class GivenSteps(Optimizer):
    """w' = w + g: gradient descent where g holds -lr times the gradient already (claim E26)."""

    lr: float = 0.1

    formula = "w = w[] + g[]"


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """The gradient over the root of a running mean of its square; `momentum` is of that quotient.

    As PyTorch writes it: eps is added to the root. Source: Tieleman and Hinton 2012, lecture 6.5.
    """

    lr: float = 0.01
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _past(self, "alpha", "alpha=0.99")

    @property
    def state(self) -> tuple[str, ...]:
        return ("v", "m") if self.momentum else ("v",)

    @property
    def formula(self) -> str:
        lines, g = _decay(self.weight_decay)
        past = _decimal(self.alpha)
        lines += [f"b = {past}*v[] + (1 - {past})*{g}^2", "v = b"]
        step = f"{g} / (sqrt(b) + {_decimal(self.eps)})"
        if not self.momentum:
            return "\n".join([*lines, f"w = w[] - lr*{step}"])
        return "\n".join([*lines, f"u = {_decimal(self.momentum)}*m[] + {step}", "m = u", "w = w[] - lr*u"])


@dataclass(frozen=True)
class Adam(Optimizer):
    """Steps of a size that hardly depends on the gradient's scale. Source: Kingma and Ba 2015, algorithm 1.

    `weight_decay` adds decay*w to g, which Adam then rescales; see AdamW for a decay that stays what it is.

    1 - beta^t is written -expm1(t*log1p(beta-1)), which keeps its digits where beta^t is near 1.
    """

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    scalars: ClassVar[tuple[str, ...]] = ("lr", "t")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta1", "beta2"):
            _past(self, name, "beta1=0.9, beta2=0.999")

    @property
    def state(self) -> tuple[str, ...]:
        return ("m", "v")

    def _decays(self) -> tuple[list[str], str, str]:
        """Statements that come first, the gradient, and the weight that the step starts from."""
        return (*_decay(self.weight_decay), "w[]")

    @property
    def formula(self) -> str:
        first, second = _decimal(self.beta1), _decimal(self.beta2)
        lines, g, w = self._decays()
        lines += [
            f"c = -expm1(t*log1p({first} - 1))",
            f"d = -expm1(t*log1p({second} - 1))",
            f"a = {first}*m[] + (1 - {first})*{g}",
            f"b = {second}*v[] + (1 - {second})*{g}^2",
            "m = a",
            "v = b",
            f"w = {w} - lr*(a/c) / (sqrt(b/d) + {_decimal(self.eps)})",
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with the decay of the weights beside the gradient's step. Source: Loshchilov and Hutter 2019."""

    weight_decay: float = 0.01

    def _decays(self) -> tuple[list[str], str, str]:
        return [], "g[]", f"w[] - lr*{_decimal(self.weight_decay)}*w[]"


_CLASSES: dict[str, type[Optimizer]] = {c.__name__: c for c in (SGD, RMSProp, Adam, AdamW)}


def from_config(config: Mapping[str, Any], kinds: Iterable[type] = ()) -> Optimizer:
    """The optimizer that `config()` described; ModelError for anything else.

    `kinds` are classes beyond the library's that it may name; one with the name of another is refused.
    """
    arguments = dict(config)
    name = arguments.pop("class", None)
    classes = dict(_CLASSES)
    for own in kinds:
        if issubclass(own, Optimizer) and classes.setdefault(own.__name__, own) is not own:
            raise ModelError(f"two kinds of optimizer are called {own.__name__}; give the class another name")
    if not isinstance(name, str) or name not in classes:
        fix = f"; if the class is your own, pass kinds=[{name}]" if isinstance(name, str) else ""
        raise ModelError(f"optimizer: needs one of {', '.join(classes)}, found {name!r}{fix}")
    kind = classes[name]
    known = {setting.name for setting in fields(kind)}
    if set(arguments) - known:
        raise ModelError(f"{name}: takes {', '.join(sorted(known))}, found {', '.join(sorted(set(arguments) - known))}")
    return kind(**arguments)


def _decay(weight_decay: float) -> tuple[list[str], str]:
    """(statements, the gradient that they leave) of a decay that is added to the gradient."""
    return ([f"h = g[] + {_decimal(weight_decay)}*w[]"], "h") if weight_decay else ([], "g[]")


def _clipped(program: Program, gradients: Mapping[str, str], limit: float) -> tuple[Program, dict[str, str]]:
    """The program with the norm of all these gradients and with each scaled to the limit; what those are called."""
    tensors, blocks, squares, names = dict(program.tensors), [], [], {}
    for parameter, gradient in gradients.items():
        axes = tensors[gradient].axes
        letters = ",".join(_LETTERS[: len(axes)])
        total, names[parameter] = f"{parameter}.square", f"{parameter}.clipped"
        summed = f"sum({letters}) " if axes else ""
        blocks.append(read(f"{total} = {summed}{gradient}[{letters}]^2", axes={gradient: axes}))
        squares.append(total)
    norm = f"{NORM} = sqrt({' + '.join(f'{total}[]' for total in squares)})"
    factor = f"{_FACTOR} = min({_decimal(limit)} / ({NORM} + 0.000001), 1)"
    blocks.append(read(f"{norm}\n{factor}", axes=dict.fromkeys(squares, ())))
    for parameter, gradient in gradients.items():
        axes = tensors[gradient].axes
        place = f"[{','.join(_LETTERS[: len(axes)])}]"
        left = names[parameter] + (place if axes else "")
        blocks.append(read(f"{left} = {_FACTOR}[]*{gradient}{place}", axes={_FACTOR: (), gradient: axes}))
    statements = [statement for block in blocks for statement in block.statements]
    tensors |= {s.target: ProgramTensor(s.target, s.axes, "intermediate") for s in statements}
    return replace(program, tensors=tensors, statements=(*program.statements, *statements)), names


def _renamed(statement: Statement, names: Mapping[str, str]) -> Statement:
    moved = map_statement(statement, lambda node: rename_tensors(node, names))
    return replace(moved, target=names[statement.target])


def find_optimizer(where: str, optimizer: Optimizer | None) -> Optimizer:
    """The optimizer, SGD unless one is given; ModelError for what is none."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    if optimizer is None:
        return SGD()
    named = {kind.__name__.lower(): kind.__name__ for kind in (SGD, RMSProp, Adam, AdamW)}
    name = optimizer.__name__ if isinstance(optimizer, type) else str(optimizer)
    near = get_close_matches(name.lower(), named, n=1)
    raise ModelError(
        f"{where}: optimizer is an optimizer, found {optimizer!r}; pass optimizer={named[near[0]] if near else 'SGD'}()"
    )


def _number(optimizer: Optimizer, name: str, value: object) -> float:
    """The setting as a float: finite and at least 0."""
    if not _is_number(value):
        usual = {"lr": 0.1 if isinstance(optimizer, SGD) else 0.001, "momentum": 0.9, "eps": 1e-8}.get(name, 0)
        raise ModelError(
            f"{type(optimizer).__name__}: {name} is a number from 0 on, found {value!r}; pass {name}={usual}"
        )
    return float(value)  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    """Finite and at least 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _past(optimizer: Optimizer, name: str, usual: str) -> None:
    """The weight of what was in a running mean is less than 1."""
    if not getattr(optimizer, name) < 1:
        raise ModelError(
            f"{type(optimizer).__name__}: {name} is the weight of the past, at least 0 and less than 1, found "
            f"{getattr(optimizer, name)}; the usual value{'s are' if ',' in usual else ' is'} {usual}"
        )


def _decimal(value: float) -> str:
    """The shortest decimal of a float, without an exponent: an exact rational in the formula."""
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def __getattr__(name: str) -> NoReturn:
    raise absent("paperback.optim", name, ("SGD", "Adam", "AdamW", "RMSProp"))
