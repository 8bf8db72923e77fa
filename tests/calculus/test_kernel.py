"""The kernel form: the partial statements of a statement add up to it, and no equality guard is left in them.

The referee is a plain loop over every letter, on integers.
"""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import pytest

from paperback.calculus.kernel import kernel_form
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    Add,
    AffineGuard,
    Binder,
    Bracket,
    Compare,
    Const,
    Divides,
    Index,
    Mul,
    Quotient,
    Read,
    Reduce,
    Size,
    Statement,
    add,
    bracket,
    const,
    mul,
)
from paperback.notation.walk import nodes

# --------------------------------------------------------------------------------------------------- the referee


def at(affine, values):
    return affine.const.value + sum(c.value * values[l] for l, c in affine.terms)


def holds(guards, values, arrays):
    for guard in guards:
        if isinstance(guard, AffineGuard):
            value = at(guard.affine, values)
            if not {">=": value >= 0, "==": value == 0, "!=": value != 0}[guard.relation]:
                return False
        elif isinstance(guard, Divides):
            if at(guard.affine, values) % guard.modulus.value:
                return False
        else:
            a, b = value_of(guard.left, values, arrays), value_of(guard.right, values, arrays)
            assert guard.relation == "=="
            if a != b:
                return False
    return True


def value_of(node, values, arrays):
    """Plain recursion; a false bracket hides everything else in its product."""
    match node:
        case Const():
            return node.value
        case Index():
            return at(node.affine, values)
        case Bracket():
            return int(holds(node.guards, values, arrays))
        case Add():
            return sum(value_of(t, values, arrays) for t in node.terms)
        case Mul():
            guards = [g for f in node.factors if isinstance(f, Bracket) for g in f.guards]
            if not holds(guards, values, arrays):
                return 0
            return math.prod(value_of(f, values, arrays) for f in node.factors if not isinstance(f, Bracket))
        case Read():
            place = []
            for index in node.indices:
                if isinstance(index, Quotient):
                    quotient = Fraction(at(index.affine, values), index.divisor.value)
                    assert quotient.denominator == 1, "a quotient must be guarded"
                    place.append(int(quotient))
                else:
                    place.append(at(index, values))
            data, shape = arrays[node.tensor]
            if all(0 <= i < n for i, n in zip(place, shape, strict=True)):
                return data[tuple(place)]
            assert node.pad is not None, f"{node} leaves its range unguarded at {place}"
            return node.pad
        case Reduce():
            total = 0
            for own in itertools.product(*(range(b.extent.value) for b in node.binders)):
                inner = {**values, **dict(zip((b.letter for b in node.binders), own, strict=True))}
                if holds(node.guards, inner, arrays):
                    total += value_of(node.body, inner, arrays)
            return total
    raise AssertionError(node)


def run(statement, arrays):
    """{place: value} of the places that the left side reaches; every place at most once."""
    result = {}
    for own in itertools.product(*(range(b.extent.value) for b in statement.binders)):
        values = dict(zip(statement.letters, own, strict=True))
        place = tuple(at(a, values) for a in statement.left)
        assert place not in result, "the left side is no injection"
        assert all(0 <= i < n.value for i, n in zip(place, statement.axes, strict=True))
        result[place] = value_of(statement.expr, values, arrays)
    return result


def tensor(seed, *shape):
    rng = random.Random(seed)
    return {p: rng.randint(-9, 9) for p in itertools.product(*map(range, shape))}, shape


def turns(statement):
    """How many times the innermost line runs."""
    own = math.prod(b.extent.value for b in statement.binders)
    inner = [math.prod(b.extent.value for b in n.binders) for n in nodes(statement.expr) if isinstance(n, Reduce)]
    return own * max(inner, default=1)


def is_congruence(guard):
    return isinstance(guard, Divides) or (isinstance(guard, AffineGuard) and guard.relation == "==")


def check(statement, arrays, *, left=0):
    """The law, with and without absorbed guards; `left` congruences may stay."""
    expected = run(statement, arrays)
    for shapes in (None, {name: shape for name, (_, shape) in arrays.items()}):
        total = dict.fromkeys(itertools.product(*(range(n.value) for n in statement.axes)), 0)
        parts = kernel_form(statement, shapes)
        assert parts
        for part in parts:
            assert part.target == statement.target and part.axes == statement.axes
            assert part.is_plain or part.pad == 0
            for place, value in run(part, arrays).items():
                total[place] += value
        assert {p: v for p, v in total.items() if v} == {p: v for p, v in expected.items() if v}
        guards = [g for part in parts for n in nodes(part.expr) if isinstance(n, Reduce | Bracket) for g in n.guards]
        assert sum(is_congruence(g) for g in guards) <= left
    return parts


# --------------------------------------------------------------------------------------------------- statements

L = Letter.fresh


def b(letter, extent):
    return Binder(letter, Size.of(extent))


def eq(left, right):
    return AffineGuard("==", Affine.of(left) - right)


def within(affine, extent):
    affine = Affine.of(affine)
    return AffineGuard(">=", affine), AffineGuard(">=", Affine.of(extent - 1) - affine)


def read(name, *indices, pad=None):
    return Read(name, tuple(Affine.of(i) for i in indices), pad)


def total(binders, body, *guards):
    return Reduce("sum", tuple(binders), tuple(guards), body)


def conv_adjoint_1d(H, P, s, d, pad, flip):
    """dx of y[i] = sum(p) x[s*i + d*p - pad] * w[p or P-1-p]."""
    I = (H + 2 * pad - d * (P - 1) - 1) // s + 1
    t, i, p = L("t"), L("i"), L("p")
    kernel = Affine.of(P - 1) - p if flip else p
    index = Affine.of(i) * s + Affine.of(p) * d - pad
    body = mul(read("dy", i), read("w", kernel), bracket(eq(t, index)))
    return Statement.plain("dx", [b(t, H)], total([b(i, I), b(p, P)], body)), {"dy": tensor(1, I), "w": tensor(2, P)}


GEOMETRIES = [
    (H, P, s, d, pad, flip)
    for H, P, s, d, pad, flip in itertools.product((1, 2, 5, 7), *[(1, 2, 3)] * 3, (0, 1), (False, True))
    if H + 2 * pad >= d * (P - 1) + 1
]


def test_input_gradients_of_1d_convolutions():
    for geometry in GEOMETRIES:
        statement, arrays = conv_adjoint_1d(*geometry)
        check(statement, arrays)
    assert len(GEOMETRIES) == 330


def test_blocks_side_by_side_stay_one_nest():
    for H, P in ((6, 3), (8, 2), (5, 5), (12, 4)):
        statement, arrays = conv_adjoint_1d(H, P, P, 1, 0, False)
        parts = check(statement, arrays)
        assert len(parts) == 1 and turns(parts[0]) == H
    # dx[c] = sum(g,r,k) w[r, K*g + k]*dy[K*g + k] [c == R*g + r], the channels of a grouped convolution
    G, R, K = 3, 2, 4
    c, g, r, k = L("c"), L("g"), L("r"), L("k")
    filters = Affine.of(g) * K + k
    body = mul(read("w", r, filters), read("dy", filters), bracket(eq(c, Affine.of(g) * R + r)))
    statement = Statement.plain("dx", [b(c, G * R)], total([b(g, G), b(r, R), b(k, K)], body))
    (part,) = check(statement, {"w": tensor(1, R, G * K), "dy": tensor(2, G * K)})
    assert turns(part) == G * R * K


def test_weight_gradients_of_1d_convolutions():
    for H, P, s, d, pad, flip in GEOMETRIES:
        I = (H + 2 * pad - d * (P - 1) - 1) // s + 1
        t, i, p, u = L("t"), L("i"), L("p"), L("u")
        guards = [eq(u, Affine.of(P - 1) - p if flip else p), eq(t, Affine.of(i) * s + Affine.of(p) * d - pad)]
        body = mul(read("dy", i), read("x", t), bracket(*guards))
        statement = Statement.plain("dw", [b(u, P)], total([b(i, I), b(p, P), b(t, H)], body))
        parts = check(statement, {"dy": tensor(1, I), "x": tensor(2, H)})
        assert sum(map(turns, parts)) <= I * P


def test_fewest_iterations():
    """Stride 1: the kernel is walked, not the output. Stride s: 1/s of it in every phase."""
    statement, arrays = conv_adjoint_1d(40, 3, 1, 1, 1, False)
    (part,) = check(statement, arrays)
    assert turns(part) == 40 * 3 and part.is_plain
    assert [n.pad for n in nodes(part.expr) if isinstance(n, Read) and n.tensor == "dy"] == [0]
    statement, arrays = conv_adjoint_1d(41, 4, 2, 1, 0, False)
    parts = check(statement, arrays)
    assert len(parts) == 2 and sum(map(turns, parts)) <= 41 * 2
    assert not any(isinstance(n, Bracket) or (isinstance(n, Reduce) and n.guards) for p in parts for n in nodes(p.expr))


@pytest.mark.parametrize(("s1", "s2"), [(1, 1), (1, 2), (2, 2), (3, 2), (3, 3)])
@pytest.mark.parametrize(("P", "Q"), [(1, 2), (2, 3), (3, 3)])
def test_input_gradients_of_2d_convolutions(s1, s2, P, Q):
    H, W, R, K, N = 7, 5, 2, 3, 2
    I, J = (H - P) // s1 + 1, (W - Q) // s2 + 1
    n, t, u, r, i, j, k, p, q = (L(c) for c in "nturijkpq")
    guards = [eq(t, Affine.of(i) * s1 + p), eq(u, Affine.of(j) * s2 + q)]
    body = mul(read("dy", n, i, j, k), read("w", p, q, r, k), bracket(*guards))
    expr = mul(const(Fraction(1, 2)), total([b(i, I), b(j, J), b(k, K), b(p, P), b(q, Q)], body))
    statement = Statement.plain("dx", [b(n, N), b(t, H), b(u, W), b(r, R)], expr)
    parts = check(statement, {"dy": tensor(1, N, I, J, K), "w": tensor(2, P, Q, R, K)})
    assert 1 <= len(parts) <= s1 * s2


def test_transposed_convolution():
    """y[t] = sum(i,p) [t == s*i + p - c] x[i] w[p], the forward direction of a transposed convolution."""
    cases = 0
    for I, P, s, c in itertools.product((1, 2, 3, 5), (1, 2, 3, 4), (1, 2, 3), (0, 1)):
        T = (I - 1) * s + P - 2 * c
        if T < 1:
            continue
        t, i, p = L("t"), L("i"), L("p")
        body = mul(read("x", i), read("w", p), bracket(eq(Affine.of(t) + c, Affine.of(i) * s + p)))
        check(Statement.plain("y", [b(t, T)], total([b(i, I), b(p, P)], body)), {"x": tensor(1, I), "w": tensor(2, P)})
        cases += 1
    assert cases == 89


def test_pooling_adjoints_keep_their_data_guard():
    cases = 0
    for H, P, s in itertools.product((2, 3, 4, 7, 9), (1, 2, 3), (1, 2, 3)):
        if H < P:
            continue
        I = (H - P) // s + 1
        t, u, i, j, p, q, k = (L(c) for c in "tuijpqk")
        code = Compare("==", read("A", i, j, k), Index(Affine.of(p) * P + q))
        guards = [eq(t, Affine.of(i) * s + p), eq(u, Affine.of(j) * s + q), code]
        body = mul(read("dy", i, j, k), bracket(*guards))
        binders = [b(i, I), b(j, I), b(p, P), b(q, P)]
        rng = random.Random(cases)
        codes = {place: rng.randrange(P * P) for place in tensor(0, I, I, 2)[0]}
        arrays = {"dy": tensor(3, I, I, 2), "A": (codes, (I, I, 2))}
        parts = check(Statement.plain("dx", [b(t, H), b(u, H), b(k, 2)], total(binders, body)), arrays)
        assert len(parts) <= s * s
        cases += 1
    assert cases == 42


def test_average_pooling_and_upsampling():
    for H, P, s in ((6, 2, 2), (7, 3, 2), (5, 2, 3), (7, 3, 3)):
        I = (H - P) // s + 1
        t, i, p = L("t"), L("i"), L("p")
        body = mul(const(Fraction(1, P)), read("dy", i), bracket(eq(t, Affine.of(i) * s + p)))
        check(Statement.plain("dx", [b(t, H)], total([b(i, I), b(p, P)], body)), {"dy": tensor(1, I)})
    # y[2*i + a] = x[i]:  x[i] = dy[2*i] + dy[2*i + 1]
    t, i, a = L("t"), L("i"), L("a")
    body = mul(read("dy", t), bracket(eq(t, Affine.of(i) * 2 + a)))
    (part,) = check(Statement.plain("dx", [b(i, 5)], total([b(t, 10), b(a, 2)], body)), {"dy": tensor(1, 10)})
    assert turns(part) == 10


def test_nested_sums_are_opened():
    t, i, p = L("t"), L("i"), L("p")
    inner = total([b(p, 3)], mul(read("w", p), bracket(eq(t, Affine.of(i) * 2 + p))))
    body = mul(const(3), bracket(*within(Affine.of(i) - 1, 2)), inner)
    statement = Statement.plain("dx", [b(t, 9)], total([b(i, 4)], body))
    parts = check(statement, {"w": tensor(2, 3)})
    assert len(parts) == 2


def test_products_are_not_distributed_over_sums():
    """Infinities can tell: an empty sum times inf is NaN, a sum of no such products is 0."""
    t, i, p = L("t"), L("i"), L("p")
    inner = total([b(p, 3)], mul(read("w", p), bracket(eq(t, Affine.of(i) * 2 + p))))
    statement = Statement.plain("dx", [b(t, 9)], total([b(i, 4)], mul(read("dy", i), inner)))
    parts = check(statement, {"dy": tensor(1, 4), "w": tensor(2, 3)})
    assert len(parts) == 1
    a, c = L("a"), L("c")
    both = add(mul(read("w", 0), bracket(eq(t, i))), mul(read("w", 1), bracket(eq(t, Affine.of(i) + 1))))
    statement = Statement.plain("dx", [b(t, 9)], total([b(i, 8)], mul(read("v", i), both)))
    check(statement, {"w": tensor(2, 3), "v": tensor(1, 8)}, left=2)
    squared = total([b(a, 4)], mul(read("v", a), bracket(eq(t, Affine.of(a) * 2 + 1))))
    product = Mul((squared, squared, total([b(c, 3)], read("w", c))))
    check(Statement.plain("y", [b(t, 9)], product), {"v": tensor(1, 4), "w": tensor(2, 3)}, left=2)


def test_other_terms_stay_as_they_are():
    t, i = L("t"), L("i")
    term = total([b(i, 4)], mul(read("v", i), bracket(eq(t, Affine.of(i) * 2))))
    statement = Statement.plain("y", [b(t, 8)], add(read("x", t), term, const(3)))
    parts = check(statement, {"v": tensor(1, 4), "x": tensor(2, 8)})
    assert len(parts) == 2 and sum(p.is_plain for p in parts) == 1
    plain = Statement.plain("y", [b(t, 8)], read("x", t))
    assert kernel_form(plain) == (plain,)


def test_nothing_left():
    t, i = L("t"), L("i")
    for guard in (
        eq(Affine.of(t), Affine.of(i) + 20),
        eq(Affine.of(t) * 2, Affine.of(i) * 2 + 1),
        AffineGuard(">=", Affine.of(-1)),
        Divides(Size.of(2), Affine.of(i) * 2 + 1),
    ):
        statement = Statement.plain("y", [b(t, 5)], total([b(i, 4)], mul(read("v", i), bracket(guard))))
        (part,) = check(statement, {"v": tensor(1, 4)})
        assert part.expr is const(0) and part.is_plain


def test_range_guards():
    """One letter: a shorter loop. A read's own range: its padding. Else the guard stays."""
    t, p = L("t"), L("p")
    arrays = {"x": tensor(1, 7), "w": tensor(2, 3)}
    index = Affine.of(t) + p - 1
    body = mul(read("x", index), read("w", p))
    statement = Statement.plain("y", [b(t, 7)], total([b(p, 3)], body, *within(index, 7)))
    (part,) = check(statement, arrays)
    assert not any(n.guards for n in nodes(part.expr) if isinstance(n, Reduce))
    shifted = Statement.plain("y", [b(t, 9)], mul(read("x", Affine.of(t) - 1), bracket(*within(Affine.of(t) - 1, 7))))
    (part,) = check(shifted, arrays)
    assert part.left[0].const == Size.of(1) and part.binders[0].extent == Size.of(7) and not part.is_plain
    causal = AffineGuard(">=", Affine.of(t) - p)
    (part,) = check(Statement.plain("y", [b(t, 7)], total([b(p, 3)], read("w", p), causal)), arrays)
    assert any(n.guards for n in nodes(part.expr) if isinstance(n, Reduce))
    narrow = within(Affine.of(t) + p - 1, 5)  # narrower than the read's range: no padding says that
    body = mul(read("x", index), read("w", p))
    (part,) = check(Statement.plain("y", [b(t, 7)], total([b(p, 3)], body, *within(index, 7), *narrow)), arrays)
    assert sum(len(n.guards) for n in nodes(part.expr) if isinstance(n, Reduce)) == 1


def test_diagonals_and_selections_on_the_left():
    t, u, i = L("t"), L("u"), L("i")
    statement = Statement.plain("J", [b(t, 4), b(u, 5)], mul(read("v", t), bracket(eq(t, u))))
    (part,) = check(statement, {"v": tensor(1, 4)})
    assert turns(part) == 4
    statement = Statement.plain("J", [b(t, 7), b(u, 3)], bracket(eq(t, Affine.of(u) * 2 + 1)))
    (part,) = check(statement, {})
    assert turns(part) == 3
    check(Statement.plain("J", [b(t, 7), b(u, 5)], bracket(eq(Affine.of(t) * 2, Affine.of(u) * 3 + 1))), {})
    check(Statement.plain("y", [b(t, 7)], bracket(eq(t, 3))), {})
    check(Statement.plain("y", [b(i, 3)], mul(bracket(eq(i, 1), eq(i, 1)), read("v", i))), {"v": tensor(1, 3)})


def test_divisibility_guards_and_quotients():
    """The printed form: [s | t-p] dy[(t-p)/s] w[p]."""
    cases = 0
    for T, P, s in itertools.product((1, 5, 8), (1, 2, 3, 5), (1, 2, 3)):
        I = T
        t, p = L("t"), L("p")
        index = Affine.of(t) - p
        guards = [Divides(Size.of(s), index), *within(index, s * (I - 1) + 1)]
        body = mul(Read("dy", (Quotient(index, Size.of(s)),), None), read("w", p), bracket(*guards))
        parts = check(Statement.plain("dx", [b(t, T)], total([b(p, P)], body)), {"dy": tensor(1, I), "w": tensor(2, P)})
        assert not any(isinstance(n, Read) and isinstance(n.indices[0], Quotient) for x in parts for n in nodes(x.expr))
        cases += 1
    assert cases == 36


def test_too_many_phases():
    """Patches of 12 x 12: 144 phases would be too many; the residue becomes a letter where the patches tile."""
    t, u, i, j, p, q = (L(c) for c in "tuijpq")
    s = 12
    body = mul(read("dy", i, j), read("w", p, q), bracket(eq(t, Affine.of(i) * s + p), eq(u, Affine.of(j) * s + q)))
    arrays = {"dy": tensor(1, 2, 2), "w": tensor(2, s, s)}
    statement = Statement.plain("dx", [b(t, 24), b(u, 24)], total([b(i, 2), b(j, 2), b(p, s), b(q, s)], body))
    parts = check(statement, arrays)
    assert len(parts) <= 64 and sum(map(turns, parts)) == 24 * 24
    ragged = Statement.plain("dx", [b(t, 25), b(u, 25)], statement.expr)
    check(ragged, arrays)
    # 67 phases and a prime size: a mask stays
    k, m = L("k"), L("m")
    body = mul(read("v", k), bracket(eq(Affine.of(t), Affine.of(k) * 67 + m), Divides(Size.of(71), Affine.of(t) + k)))
    check(Statement.plain("y", [b(t, 150)], total([b(k, 2), b(m, 67)], body)), {"v": tensor(1, 2)}, left=1)


def test_sums_inside_functions_keep_to_substitutions():
    from paperback.notation.expr import Pow

    t, i, j = L("t"), L("i"), L("j")
    inner = total([b(i, 4), b(j, 6)], mul(read("v", i), read("w", j)), eq(t, Affine.of(i) + j))
    square = Pow(add(inner, const(1)), Fraction(2))
    (part,) = kernel_form(Statement.plain("y", [b(t, 5)], square))
    reduce = next(n for n in nodes(part.expr) if isinstance(n, Reduce))
    assert len(reduce.binders) == 1 and reduce.binders[0].extent == Size.of(4)
    assert not any(is_congruence(g) for g in reduce.guards)


def test_random_terms():
    """Random congruences over up to four letters, with and without solutions."""
    rng = random.Random(7)
    cases = 0
    for _ in range(300):
        letters = [L(c) for c in "tuij"]
        extents = [rng.choice((1, 2, 3, 5, 7)) for _ in letters]
        guards = []
        for _ in range(rng.choice((1, 1, 2))):
            affine = Affine.of(rng.randint(-4, 4))
            for letter in letters:
                affine = affine + Affine.of(letter) * rng.choice((0, 0, 1, -1, 2, -2, 3))
            if rng.random() < 0.8:
                guards.append(AffineGuard(rng.choice(("==", "==", ">=", "!=")), affine))
            else:
                guards.append(Divides(Size.of(rng.choice((2, 3))), affine))
        t, u, i, j = letters
        body = mul(read("v", t, i), read("w", u, j), bracket(*guards))
        binders = [b(l, n) for l, n in zip(letters, extents, strict=True)]
        statement = Statement.plain("y", binders[:2], total(binders[2:], body))
        arrays = {"v": tensor(1, extents[0], extents[2]), "w": tensor(2, extents[1], extents[3])}
        check(statement, arrays, left=2)
        cases += 1
    assert cases == 300


def test_a_left_letter_is_solved_for_only_where_its_form_stays_in_the_axis():
    """[t + m == j] on three left letters: m + t leaves the axis of j, whatever a mask says, but for a long axis."""
    m, j, t = (L(c) for c in "mjt")
    for extents, solved in (((2, 2, 2), False), ((2, 3, 2), True), ((3, 3, 3), False)):
        binders = [b(l, n) for l, n in zip((m, j, t), extents, strict=True)]
        check(Statement.plain("y", binders, bracket(eq(Affine.of(t) + m, j))), {}, left=0 if solved else 1)
    cases = 0
    for order in itertools.permutations((m, j, t)):
        for shift, c in itertools.product((-2, -1, 0, 1), (1, -1, 2, -3)):
            guard = bracket(eq(Affine.of(t) * c + m + shift, j))
            check(Statement.plain("y", [b(l, 3) for l in order], guard), {}, left=64)
            cases += 1
    assert cases == 96


def test_a_left_letter_is_not_solved_for_by_bound_letters():
    """67 residues would be too many phases: the left side must not come to stand on k."""
    i, m, k = L("i"), L("m"), L("k")
    body = mul(read("x", k), bracket(eq(Affine.of(i) + m, Affine.of(k) * 67)))
    check(Statement.plain("y", [b(i, 68), b(m, 67)], total([b(k, 2)], body)), {"x": tensor(1, 2)}, left=1)
