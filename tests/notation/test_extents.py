"""Extents and ranges against brute force: the largest box that fits, and every read of every accepted formula."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from paperback.errors import FormulaError
from paperback.notation.bind import holds
from paperback.notation.block import Block
from paperback.notation.expr import Affine, AffineGuard, Divides, Guard, Letter, Quotient, Size
from paperback.notation.ranges import normal
from paperback.notation.read import read
from paperback.notation.size import ceil_div, evaluate, floor_div
from paperback.notation.uses import binders_of, uses_of

EXTENTS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("y[i] = x[i]", {"axes": {"x": "N"}}, {"i": "N"}),
    ("y[i] = x[N-1-i]", {"axes": {"x": "N"}}, {"i": "N"}),
    ("y[i] = sum(p) x[i+p]*w[p]", {"axes": {"x": "H", "w": "P"}}, {"i": "H-P+1", "p": "P"}),
    ("y[i] = sum(p) x[s*i+p]*w[p] where s size", {"axes": {"x": "H", "w": "P"}}, {"i": "floor((H-P)/s)+1"}),
    ("y[i] = sum(p) x[3*i+2*p]*w[p]", {"axes": {"x": "H", "w": "P"}}, {"i": "floor((H-2*P+1)/3)+1"}),
    ("y[i] = sum(p<2) x[2*i+p]", {"axes": {"x": "H"}}, {"i": "floor(H/2)"}),
    ("y[i] = sum(p<3) x[2*i+p]", {"axes": {"x": "9"}}, {"i": "4"}),
    ("dw[p] = sum(i) dy[i]*x[i+p]", {"axes": {"x": "H", "dy": "I"}}, {"p": "H-I+1", "i": "I"}),
    ("y[i] = sum(p) x[i+p-1]*w[p] where x pads 0, i < H", {"axes": {"x": "H", "w": "P"}}, {"i": "H", "p": "P"}),
    ("y[i,j] = x[i]*x[j]", {"axes": {"x": "N"}}, {"i": "N", "j": "N"}),
    ("y[i] = x[i+1] - x[i] where i < N-1", {"axes": {"x": "N"}}, {"i": "N-1"}),
    ("y[q] = sum(m | m <= q) s[q,m]", {"axes": {"s": "Q M"}}, {"q": "Q", "m": "M"}),
    ("y[i] = x[i+1]", {"axes": {"x": "N"}}, {"i": "N-1"}),
    ("y[2*i+a] = x[i] where a < 2", {"axes": {"x": "N"}}, {"i": "N", "a": "2"}),
    ("y[i] = x[2*i]\nz[k] = sum(p<3) y[k+p]", {"axes": {"x": "9"}}, {"i": "5", "k": "3"}),
    ("y[i] = x[i]*z[i]", {"axes": {"z": "N"}}, {"i": "N"}),
    ("y[i,c] = sum(p) x[i+p,c]*w[p,c]", {}, {"i": "x0-P+1", "c": "C", "p": "P"}),
    ("y[i] = x[i]", {}, {"i": "I"}),
    ("y[I] = x[I]", {}, {"I": "x0"}),
    ("y[row] = x[row]", {}, {"row": "ROW"}),
    ("y[i] = w[3-i]", {}, {"i": "4"}),
    ("y[i] = x[i]", {"axes": {"y": "M"}}, {"i": "M"}),
    (
        "y[t] = sum(i,p) [t == i+p]*x[i]*w[P-1-p] where t < L+P-1",
        {"axes": {"x": "L", "w": "P"}},
        {"t": "L+P-1", "i": "L", "p": "P"},
    ),
    ("z[g] = x[2*g] + x[2*g+1] where C = 2*G", {"axes": {"x": "C"}}, {"g": "G"}),
    ("y[t] = sum(p) [p <= t]*w[P-1-p] where t < 9", {"axes": {"w": "P"}}, {"t": "9", "p": "P"}),
]


@pytest.mark.parametrize(("text", "declared", "extents"), EXTENTS, ids=[text for text, _, _ in EXTENTS])
def test_extents(text: str, declared: dict[str, Any], extents: dict[str, str]) -> None:
    block = read(text, **declared)
    found = {b.letter.name: str(b.extent) for s in block.statements for b in binders_of(s)}
    assert {name: found[name] for name in extents} == extents


def test_windows_are_maximal_by_brute_force() -> None:
    """y[i] = sum(p) x[s*i+d*p]*w[p]: one step further would leave x; where nothing fits it is an error."""
    count = 0
    for n, p, s, d in itertools.product(range(1, 10), range(1, 5), range(1, 4), range(1, 4)):
        fits = [i for i in range(20) if s * i + d * (p - 1) <= n - 1]
        declared: dict[str, Any] = {"axes": {"x": str(n), "w": str(p)}}
        if not fits:
            with pytest.raises(FormulaError, match="but already at i = 0 the index"):
                read(f"y[i] = sum(p) x[{s}*i+{d}*p]*w[p]", **declared)
        else:
            block = read(f"y[i] = sum(p) x[{s}*i+{d}*p]*w[p]", **declared)
            assert block.result.axes == (Size.of(len(fits)),)
            symbolic = read(f"y[i] = sum(p) x[{s}*i+{d}*p]*w[p]", axes={"x": "N", "w": "P"})
            assert evaluate(symbolic.result.axes[0], {"N": n, "P": p}) == len(fits)
            assert all(holds(fact, {"N": n, "P": p}) for fact in symbolic.facts)
        count += 1
    assert count == 324


def test_the_constraint_of_a_window_is_that_it_fits() -> None:
    block = read("y[i] = sum(p) x[3*i+2*p]*w[p]", axes={"x": "N", "w": "P"})
    for n, p in itertools.product(range(1, 12), range(1, 5)):
        assert all(holds(fact, {"N": n, "P": p}) for fact in block.facts) == (n - 1 >= 2 * (p - 1))


# ------------------------------------------------------------------------------------------------ every read in range


def _true(guard: Guard, at: dict[Letter, int], sizes: dict[str, int]) -> bool:
    assert isinstance(guard, AffineGuard | Divides)
    value = _value(guard.affine, at, sizes)
    if isinstance(guard, Divides):
        return value % evaluate(guard.modulus, sizes) == 0
    return {">=": value >= 0, "==": value == 0, "!=": value != 0}[guard.relation]


def _value(affine: Affine, at: dict[Letter, int], sizes: dict[str, int]) -> int:
    slopes = sum(evaluate(slope, sizes) * at[letter] for letter, slope in affine)
    return slopes + evaluate(affine.const, sizes)


def _reads_stay_inside(block: Block, sizes: dict[str, int]) -> int:
    """Walk over the whole box of every statement; the number of reads seen."""
    seen = 0
    for statement in block.statements:
        binders = list(binders_of(statement))
        for point in itertools.product(*(range(evaluate(b.extent, sizes)) for b in binders)):
            at = {b.letter: v for b, v in zip(binders, point, strict=True)}
            for use in uses_of(statement):
                if use.padded or not all(_true(guard, at, sizes) for guard in use.guards):
                    continue
                index = use.index
                assert isinstance(index, Affine | Quotient)
                form, divisor = (index.affine, index.divisor) if isinstance(index, Quotient) else (index, Size.of(1))
                place, rest = divmod(_value(form, at, sizes), evaluate(divisor, sizes))
                axis = evaluate(block.tensor(use.read.tensor).axes[use.axis], sizes)
                assert rest == 0 and 0 <= place < axis, (use.read, use.axis, sizes, at)
                seen += 1
    return seen


def _random_formula(chance: random.Random) -> str:
    def affine() -> str:
        terms = [chance.choice(("i", "j", "2*i", "-j", "-i", "s*i", "2*j", "H", "P", "1", "-1", "2")) for _ in range(2)]
        return "+".join(dict.fromkeys(terms)).replace("+-", "-")

    def guard() -> str:
        kind = chance.randrange(4)
        if kind == 0:
            return f"0 <= {affine()} < {chance.choice(('H', 'P', '3'))}"
        if kind == 1:
            return f"{affine()} {chance.choice(('>=', '<=', '<', '=='))} {affine()}"
        if kind == 2:
            return f"i {chance.choice(('>=', '<', '!='))} {chance.choice(('1', 'P', '2', 'H-1'))}"
        return f"2 | {affine()}"

    index = affine()
    guards = [guard() for _ in range(chance.randrange(3))]
    pick = chance.random()
    if pick < 0.4:  # guard what is read, perhaps by one too little or too much
        bound = chance.choice(("H", "H-1", "H+1", "P"))
        guards = [f"{chance.choice('011')} <= {index} < {bound}" if bound != "H-1" else f"0 <= {index} <= H-1"]
    elif pick < 0.55:
        guards, index = [f"2 | {index} and 0 <= {index} < {chance.choice(('2*H', 'H'))}"], f"({index})/2"
    factors = [f"[{' and '.join(guards)}]" if guards else "", f"x[{index}]", chance.choice(("", "z[j]", "x[i]"))]
    chance.shuffle(factors)
    extents = f"i < {chance.choice(('H', 'P', '3', 'H-P+1', 'floor(H/2)'))}, j < {chance.choice(('P', 'H', '2'))}"
    return f"y[i,j] = {'*'.join(f for f in factors if f)} where x: H, z: P, {extents}, s size"


def test_accepted_formulas_read_nothing_out_of_range() -> None:
    """Soundness of the range proofs: any sizes that meet the constraints, any point, any read."""
    chance = random.Random(1)
    accepted = refused = seen = free = 0
    for _ in range(900):
        text = _random_formula(chance)
        try:
            block = read(text)
        except FormulaError as error:
            assert any(
                word in str(error) for word in ("reaches", "index is", "no values", "cannot be shown", "product")
            ), error
            refused += 1
            continue
        accepted += 1
        free += not block.facts
        for h, p, s in itertools.product((1, 2, 3, 5), (1, 2, 3), (1, 2)):
            sizes = {"H": h, "P": p, "s": s}
            if all(holds(fact, sizes) for fact in block.facts):
                seen += _reads_stay_inside(block, sizes)
    assert accepted >= 400 and refused >= 100 and free >= 100 and seen >= 30_000


def test_guards_that_protect_are_enough() -> None:
    """Completeness where it matters: what the calculus prints needs no constraint."""
    texts = [
        "y[t] = sum(i) [0 <= t-2*i < P]*dy[i]*w[t-2*i] where t < H, dy: I, w: P",
        "y[t] = sum(i) [0 <= t-2*i < P]*dy[i]*w[2*i-t+P-1] where t < H, dy: I, w: P",
        "y[t] = sum(p) [0 <= t-p < I]*dy[t-p]*w[p] where t < H, dy: I, w: P",
        "y[t] = sum(p) [2 | t-p and 0 <= t-p < 2*I]*dy[(t-p)/2]*w[p] where t < H, dy: I, w: P",
        "y[t] = sum(i | i <= t and t < i+P) dy[i]*w[t-i] where t < H, dy: I, w: P",
        "y[t] = sum(i,p) [t == 2*i+p]*dy[i]*w[t-2*i] where t < H, dy: I, w: P, p < P",
        "y[i] = [i >= 1]*x[i-1] where x: N, i < N",
        "y[i] = [i < N-1]*x[i+1] where x: N, i < N",
    ]
    for text in texts:
        assert read(text + ", H size").facts == (), text


@pytest.mark.parametrize("n", range(1, 5))
def test_left_sides_are_bijections_by_brute_force(n: int) -> None:
    """y[a*i + b*j + c*k]: accepted exactly where every place is taken once."""
    count = 0
    extents = (n, 2, 3)
    for slopes in itertools.product((1, 2, 3, 4, 6, 8, 12), repeat=3):
        codes = sorted(
            sum(a * v for a, v in zip(slopes, point, strict=True))
            for point in itertools.product(*(range(extent) for extent in extents))
        )
        text = f"y[{slopes[0]}*i+{slopes[1]}*j+{slopes[2]}*k] = x[i,j,k]"
        try:
            block = read(text, axes={"x": extents})
            assert codes == list(range(len(codes))), text
            assert block.result.axes == (Size.of(len(codes)),)
            count += 1
        except FormulaError:
            assert codes != list(range(len(codes))), text
    assert count >= 2


def test_constraints_are_exactly_that_extents_are_positive_and_reads_inside() -> None:
    """Against brute force at small sizes: the constraint that makes an extent >= 1 may not prove itself away."""
    extents = ("floor((H-P)/2)+1", "ceil((H-P)/2)", "floor((H-P)/s)+1", "ceil((H-P)/s)", "floor(H/(P-1))", "2*H-3*P")
    count = met = 0
    for index, extent in itertools.product(("i", "-2*i", "2*i", "i-1", "H-1-i", "2*i+1"), extents):
        try:
            block = read(f"y[i] = x[{index}] where x: H, w: P, i < {extent}, s size")
        except FormulaError:
            continue
        for h, p, s in itertools.product(range(1, 7), range(1, 5), (1, 2, 3)):
            sizes = {"H": h, "P": p, "s": s}
            good = all(holds(fact, sizes) for fact in block.facts)
            if "(P-1)" in extent and p == 1:
                assert not good
                continue
            runs = evaluate(block.result.axes[0], sizes)
            places = [_index(index, i, h) for i in range(runs)]
            assert good == (runs >= 1 and all(0 <= place < h for place in places)), (index, extent, sizes)
            count, met = count + 1, met + good
    assert count >= 1000 and met >= 100


def _index(text: str, i: int, h: int) -> int:
    return {"i": i, "-2*i": -2 * i, "2*i": 2 * i, "i-1": i - 1, "H-1-i": h - 1 - i, "2*i+1": 2 * i + 1}[text]


def test_quotients_are_bounded_only_where_the_divisor_is_positive() -> None:
    assert floor_div("H", "P").is_nonnegative() and ceil_div("H", Size.of("P") + 2).is_nonnegative()
    assert not floor_div("H", Size.of("P") - 3).is_nonnegative()
    assert not (Size.of("H") - floor_div("H", Size.of("P") - 3) * (Size.of("P") - 3)).is_nonnegative()
    assert floor_div("H", Size.of("P") - 3).is_nonnegative({"P": 4})
    block = read("y[i] = x[i]*floor(H/(P-3)) where x: H, P size")
    assert [str(fact) for fact in block.facts] == ["P-4 >= 0"]


def test_normal_is_nonnegative_where_the_size_is() -> None:
    count = 0
    for divide, c, k, d in itertools.product((floor_div, ceil_div), range(-3, 4), (-3, -2, -1, 1, 2, 3), (2, 3, 5)):
        size = divide(Size.of("H") - "P", d) * k + c
        for h, p in itertools.product(range(1, 9), (1, 4, 9)):
            at = {"H": h, "P": p}
            assert (evaluate(size, at) >= 0) == (evaluate(normal(size), at) >= 0), (size, at)
            count += 1
    assert count == 6048


def test_the_bound_that_is_offered_is_the_one_that_fits() -> None:
    """Readings that disagree: the hint's bound is read, and no length that has room for one step is refused."""
    for text in ("z[g] = x[2*g] + x[2*g+1]", "z[g] = x[2*g+1] + x[2*g]", "z[g] = x[3*g+2] + x[3*g]"):
        with pytest.raises(FormulaError) as caught:
            read(text, axes={"x": "C"})
        bound = caught.value.hint.split("`")[1]
        block = read(f"{text} {bound}", axes={"x": "C"})
        step = int(text[9])
        for c in range(step, 12):
            assert all(holds(fact, {"C": c}) for fact in block.facts)
            assert evaluate(block.result.axes[0], {"C": c}) == c // step
