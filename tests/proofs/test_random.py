"""Random formulas: sound rewrites are never refuted, and what is proved of random changes is true."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from tests.calculus.random_formulas import Generator

import paperback as pb
from paperback.calculus.interval import ExactError
from paperback.errors import EngineError
from paperback.notation.affine import Affine
from paperback.notation.block import Block
from paperback.notation.expr import Add, AffineGuard, Bracket, Mul, Node, Reduce, add, mul
from paperback.notation.walk import fresh, map_children, map_guard, substitute
from paperback.proofs.pair import pair
from paperback.proofs.search import differs, small_points

Rewrite = Callable[[Node], Node]


def everywhere(rewrite: Rewrite) -> Rewrite:
    def of(node: Node) -> Node:
        return rewrite(map_children(node, of))

    return of


def reversed_sums(node: Node) -> Node:
    """sum(p<P) f(p) = sum(p<P) f(P-1-p)."""
    if not isinstance(node, Reduce) or node.op != "sum":
        return node
    put = {b.letter: Affine.of(b.extent - 1) - b.letter for b in node.binders}
    guards = tuple(map_guard(g, lambda n: substitute(n, put), lambda a: a.substitute(put)) for g in node.guards)
    return Reduce("sum", node.binders, guards, substitute(node.body, put))


def reordered(node: Node) -> Node:
    """Terms and factors from last to first; brackets stay in front."""
    if isinstance(node, Add):
        return add(*reversed(node.terms))
    if isinstance(node, Mul):
        brackets = [f for f in node.factors if isinstance(f, Bracket)]
        return mul(*brackets, *reversed([f for f in node.factors if not isinstance(f, Bracket)]))
    return node


def split_sums(node: Node) -> Node:
    """sum(p) f(p) = sum(p | p >= 1) f(p) + sum(p | -p >= 0) f(p)."""
    if not isinstance(node, Reduce) or node.op != "sum":
        return node
    letter = Affine.of(node.binders[0].letter)
    later = Reduce("sum", node.binders, (AffineGuard(">=", letter - 1), *node.guards), node.body)
    first = Reduce("sum", node.binders, (AffineGuard(">=", -letter), *node.guards), node.body)
    return add(later, fresh(first))


REWRITES = {"renamed": fresh, **{f.__name__: everywhere(f) for f in (reversed_sums, reordered, split_sums)}}


def rewritten(block: Block, rewrite: Rewrite) -> Block:
    return replace(block, statements=tuple(replace(s, expr=fresh(rewrite(s.expr))) for s in block.statements))


@pytest.mark.parametrize("name", REWRITES)
def test_sound_rewrites_are_proved_or_left_open(name: str) -> None:
    count: Counter[str] = Counter()
    for seed in range(30):
        formula = pb.formula(Generator(seed).draw().text)
        verdict = pb.prove(formula, pb.Formula(rewritten(formula.block, REWRITES[name])))
        count[verdict.status] += 1
        assert verdict.status in ("proved for all sizes", "verified", "tested", "not decided"), (seed, str(verdict))
    assert count["proved for all sizes"] >= 25, count


def changed(text: str, random: Random) -> str | None:
    """The text with one number, relation or sign changed before its where clauses."""
    body, where, clauses = text.partition(" where ")
    spots = list(re.finditer(r"\d+|<=|>=|==|!=|<|>| \+ | - | \* ", body))
    if not spots:
        return None
    spot = random.choice(spots)
    old = spot.group()
    signs = {" + ": " - ", " - ": " + ", " * ": " + "}
    new = str(int(old) + 1) if old.isdigit() else signs.get(old) or random.choice(["<", "<=", ">", ">=", "==", "!="])
    return body[: spot.start()] + new + body[spot.end() :] + where + clauses


def test_what_is_proved_of_a_random_change_is_true() -> None:
    count: Counter[str] = Counter()
    for seed in range(100):
        text = Generator(seed).draw().text
        other = changed(text, Random(seed))
        if other is None:
            continue
        status = pb.prove(text, other).status
        count[status] += 1
        if status == "proved for all sizes":
            both = pair(text, other, {}, {})
            for point in small_points(both, Random(seed + 1), 2):
                try:
                    assert differs(both, point) is None, (text, other)
                except (EngineError, ExactError):
                    count["open points"] += 1
    assert count["refuted"] >= 40 and count["proved for all sizes"] >= 10, count
