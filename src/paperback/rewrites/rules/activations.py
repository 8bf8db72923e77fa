"""Rules for activations: sigmoid for tanh and back, and maxima before or after an activation."""

from __future__ import annotations

__all__ = ["RULES"]

from collections.abc import Callable
from fractions import Fraction

from paperback.identities import IDENTITIES
from paperback.nn.layers.activations import (
    ELU,
    HardTanh,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softplus,
    Step,
    Tanh,
)
from paperback.nn.layers.layer import Layer
from paperback.nn.layers.pool import MaximumPooling
from paperback.rewrites.pieces import Chain, Piece
from paperback.rewrites.rule import Answer, Found, Refused, Rule
from paperback.rewrites.rules.affine import absorb, after, before, scaled

_HALF = Fraction(1, 2)


def _curve(
    name: str, old: type[Layer], new: Layer, inner: Fraction, outer: Fraction, shift: Fraction
) -> Callable[[Chain, int], Answer]:
    """old(z) = outer*new(inner*z) + shift, with the factors and the shift put into the layers around."""

    def find(chain: Chain, at: int) -> Answer:
        if not isinstance(chain[at].layer, old):
            return None
        conditions = IDENTITIES[name].conditions
        first, last = before(chain, at), after(chain, at)
        if first is None:
            what = chain[at - 1].layer if at else None
            stands = f"before {_name(chain[at])} stands {what!r}" if at else f"the chain begins with {_name(chain[at])}"
            return Refused(at, at + 1, conditions[0], stands)
        if last is None:
            ends = f"{_name(chain[at])} is the last of its chain"
            stands = f"after {_name(chain[at])} stands {chain[at + 1].layer!r}" if at + 1 < len(chain) else ends
            return Refused(at, at + 1, conditions[1], stands)

        def replacement(pieces: Chain) -> Chain:
            middle = at - first
            return (
                scaled(pieces[0], inner),
                *pieces[1:middle],
                pieces[middle].with_layer(new),
                *pieces[middle + 1 : -1],
                absorb(pieces[-1], outer, shift),
            )

        checks = (
            (conditions[0], f"{_name(chain[first])}: {chain[first].layer!r}"),
            (conditions[1], f"{_name(chain[last])}: {chain[last].layer!r}"),
        )
        return Found(first, last + 1, checks, replacement)

    return find


def _increasing(layer: Layer) -> str | None:
    """Why this activation does not decrease; None where it is none of those that are known not to."""
    if isinstance(layer, Sigmoid | Tanh | Softplus | Identity):
        return "it increases everywhere"
    if isinstance(layer, ReLU | Step | HardTanh):
        return "it never decreases"
    if isinstance(layer, LeakyReLU):
        return f"its slopes are 1 and {layer.slope:g} >= 0" if layer.slope >= 0 else None
    if isinstance(layer, ELU):
        return f"its slope is 1, or alpha*exp(x) with alpha = {layer.alpha:g} >= 0" if layer.alpha >= 0 else None
    return None


_ELEMENTWISE = "SiLU", "GELU", "LeakyReLU", "ELU"


def _swap(name: str, pool_first: bool) -> Callable[[Chain, int], Answer]:
    """Exchange an activation and a maximum; `pool_first`: the pooling stands first now."""

    def find(chain: Chain, at: int) -> Answer:
        if at + 1 >= len(chain):
            return None
        pool, activation = (at, at + 1) if pool_first else (at + 1, at)
        layer = chain[activation].layer
        if not isinstance(chain[pool].layer, MaximumPooling):
            return None
        conditions = IDENTITIES[name].conditions
        why = _increasing(layer)
        if why is None:
            if type(layer).__name__ not in _ELEMENTWISE:
                return None
            return Refused(at, at + 2, conditions[0], f"{_name(chain[activation])}: {layer!r} decreases somewhere")
        def replacement(pieces: Chain) -> Chain:
            first, second = pieces
            return second, first

        flat = "where the activation is flat its slope is 0, so who won a tie there does not matter"
        checks = (
            (conditions[0], f"{layer!r}: {why}"),
            (conditions[1], f"{chain[pool].layer!r} never lets the outside win"),
        )
        if isinstance(layer, ReLU) and layer.at_zero != 0:
            slope = layer.at_zero
            counterexample = (
                f"{_name(chain[activation])} has the slope {slope} at 0: in the window (-1, 0, -2, -3) the 0 gets "
                f"{slope} of the gradient where the maximum comes first, and -1, whose slope is 0, where relu does"
            )
            return Refused(at, at + 2, conditions[2], counterexample, Found(at, at + 2, checks, replacement))
        return Found(at, at + 2, (*checks, (conditions[2], flat)), replacement)

    return find


def _name(piece: Piece) -> str:
    return piece.name or type(piece.layer).__name__


def _rule(name: str, find: Callable[[Chain, int], Answer], simplifies: bool = False) -> Rule:
    return Rule(IDENTITIES[name], find, simplifies)


RULES = (
    _rule("tanh_from_sigmoid", _curve("tanh_from_sigmoid", Sigmoid, Tanh(), _HALF, _HALF, _HALF)),
    _rule("sigmoid_from_tanh", _curve("sigmoid_from_tanh", Tanh, Sigmoid(), *map(Fraction, (2, 2, -1)))),
    _rule("pool_before_activation", _swap("pool_before_activation", pool_first=False), simplifies=True),
    _rule("activation_before_pool", _swap("activation_before_pool", pool_first=True)),
)
