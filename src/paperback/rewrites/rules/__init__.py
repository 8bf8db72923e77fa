"""The rules, one family in a file, each with the identity that it uses."""

from __future__ import annotations

__all__ = ["RULES"]

from paperback.rewrites.rule import Rule
from paperback.rewrites.rules import activations, convolution, linear, logic, operators, pooling, softmax

RULES: dict[str, Rule] = {
    rule.name: rule
    for family in (activations, softmax, linear, convolution, pooling, operators, logic)
    for rule in family.RULES
}
