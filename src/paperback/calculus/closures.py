"""The exact evaluator's loops: a tree becomes nested Python functions once, and these are called for every element.

    sum(i, p | t == 2*i + p) e      for i: for p in {t - 2*i} within 0 <= p < P: add e

As soon as all letters of a guard are bound it is tested; a guard with one letter open bounds or determines that letter.
Brackets of a summand are guards of its sum. A sub-expression is kept by the values of the letters it depends on, so
that the denominator of a softmax is not summed again for each element. Nothing is simplified, reordered or assumed:
a read out of range, a product with infinity, an index that is no whole number all happen, or raise, as written.
"""

from __future__ import annotations

__all__ = ["Array", "Closures", "Function", "Scene", "out_of_range"]

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from operator import itemgetter
from typing import Any, TypeAlias

from paperback.calculus import duals, interval, reals
from paperback.calculus.conventions import Conventions
from paperback.calculus.duals import Number
from paperback.errors import EngineError
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    ONE,
    Add,
    AffineGuard,
    Binder,
    Bracket,
    Call,
    Compare,
    Const,
    Divides,
    Guard,
    Index,
    IndexExpr,
    Mul,
    Node,
    Pow,
    Quotient,
    Read,
    Reduce,
    Scalar,
)  # fmt: skip
from paperback.notation.size import Size, evaluate
from paperback.notation.walk import free_letters, nodes

Env: TypeAlias = list[int]  # the value of every letter, by its place
Value: TypeAlias = Callable[[Env], Number]
Whole: TypeAlias = Callable[[Env], int]
Test: TypeAlias = Callable[[Env], bool]
Narrow: TypeAlias = Callable[[Env, int, int], tuple[int, int]]
Nest: TypeAlias = Callable[[Env, list[Any]], None]
Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Array:
    """A shape, and the numbers in row-major order."""

    shape: tuple[int, ...]
    data: list[Number]


@dataclass(frozen=True)
class Scene:
    """Everything that an expression can refer to: tensors and scalars by name, sizes, uninterpreted functions."""

    arrays: Mapping[str, Array]
    sizes: Mapping[str, int]
    functions: Mapping[str, Function] = field(default_factory=dict)

    def size(self, size: Size) -> int:
        try:
            return evaluate(size, self.sizes)
        except KeyError as error:
            raise EngineError(f"the size {error.args[0]} is not known: give it in sizes") from None

    def array(self, name: str) -> Array:
        try:
            return self.arrays[name]
        except KeyError:
            raise EngineError(f"{name} is read, but no array of this name was given") from None


def out_of_range(name: str, axis: int, index: int, extent: int) -> EngineError:
    return EngineError(f"{name}: index {index} is out of range on axis {axis}, which has {extent} elements")


class Closures:
    """Functions for the nodes of one statement; letters have places in one list, since every letter is bound once."""

    def __init__(self, scene: Scene, conventions: Conventions, root: Node) -> None:
        self.scene = scene
        self.conventions = conventions
        self.places: dict[Letter, int] = {}
        self.built: dict[Node, Value] = {}
        self.uses = Counter(nodes(root))

    def place(self, letter: Letter) -> int:
        return self.places.setdefault(letter, len(self.places))

    def env(self) -> Env:
        return [0] * len(self.places)

    # -------------------------------------------------------------------------------------------------- indices

    def affine(self, affine: Affine) -> Whole:
        const = self.scene.size(affine.const)
        terms = [(self.place(letter), self.scene.size(c)) for letter, c in affine.terms]
        if not terms:
            return lambda env: const
        if len(terms) == 1:
            ((p, a),) = terms
            return lambda env: a * env[p] + const
        if len(terms) == 2:
            (p, a), (q, b) = terms
            return lambda env: a * env[p] + b * env[q] + const
        return lambda env: const + sum(a * env[p] for p, a in terms)

    def index(self, index: IndexExpr, scope: frozenset[Letter]) -> Whole:
        if isinstance(index, Affine):
            return self.affine(index)
        if isinstance(index, Quotient):
            over, by = self.affine(index.affine), self.scene.size(index.divisor)

            def quotient(env: Env) -> int:
                whole, rest = divmod(over(env), by)
                if rest:
                    raise EngineError(f"the index ({over(env)})/{by} is no whole number, and no guard {by} | ... holds")
                return whole

            return quotient
        value, name = self.value(index, scope), index.tensor

        def gather(env: Env) -> int:
            number = duals.primal(value(env))
            if not isinstance(number, Fraction) or number.denominator != 1:
                raise EngineError(f"{name} is used as an index, but holds {number}, which is no whole number")
            return int(number)

        return gather

    def of_read(self, node: Read, scope: frozenset[Letter]) -> Value:
        array, name = self.scene.array(node.tensor), node.tensor
        if len(node.indices) != len(array.shape):
            raise EngineError(f"{name} has {len(array.shape)} axes, but is read with {len(node.indices)} indices")
        data = array.data
        if not node.indices:
            return lambda env: data[0]
        pad = None if node.pad is None else reals.exact(node.pad)
        axes = [(self.index(i, scope), n, i) for i, n in zip(node.indices, array.shape, strict=True)]

        def read(env: Env) -> Number:
            flat, inside = 0, True
            for axis, (index, extent, source) in enumerate(axes):
                i = index(env)
                if not 0 <= i < extent:
                    if pad is None:
                        where = f"[.. {source.tensor} ..]" if isinstance(source, Read) else ""
                        raise out_of_range(name + where, axis, i, extent)
                    inside = False
                flat = flat * extent + i
            return data[flat] if inside else pad

        return read

    # --------------------------------------------------------------------------------------------------- guards

    def guard(self, guard: Guard, scope: frozenset[Letter]) -> Test:
        if isinstance(guard, Compare):
            left, right, relation = self.value(guard.left, scope), self.value(guard.right, scope), guard.relation
            return lambda env: duals.compare(relation, left(env), right(env))
        affine = self.affine(guard.affine)
        if isinstance(guard, Divides):
            modulus = self.scene.size(guard.modulus)
            return lambda env: affine(env) % modulus == 0
        if guard.relation == ">=":
            return lambda env: affine(env) >= 0
        if guard.relation == "==":
            return lambda env: affine(env) == 0
        return lambda env: affine(env) != 0

    def narrow(self, guard: AffineGuard, letter: Letter) -> Narrow:
        """What `c*letter + e >= 0` or `== 0` leaves of a range low..high, once e is known."""
        c, rest = self.scene.size(guard.affine.coefficient(letter)), self.affine(guard.affine.without(letter))
        if guard.relation == "==":

            def determine(env: Env, low: int, high: int) -> tuple[int, int]:
                value, remainder = divmod(-rest(env), c)
                return (0, -1) if remainder else (max(low, value), min(high, value))

            return determine
        if c > 0:
            return lambda env, low, high: (max(low, -(rest(env) // c)), high)
        return lambda env, low, high: (low, min(high, rest(env) // -c))

    # -------------------------------------------------------------------------------------------------- numbers

    def value(self, node: Node, scope: frozenset[Letter]) -> Value:
        """The function that computes a node, from the letters in scope."""
        if node not in self.built:
            build: Callable[[Any, frozenset[Letter]], Value] = getattr(self, "of_" + type(node).__name__.lower())
            self.built[node] = self.kept(node, build(node, scope), scope)
        return self.built[node]

    def kept(self, node: Node, value: Value, scope: frozenset[Letter]) -> Value:
        """Remember values by the letters they depend on, where they can be met again."""
        free = free_letters(node)
        if not isinstance(node, Reduce | Call | Pow) or (scope.issubset(free) and self.uses[node] == 1):
            return value
        memory: dict[Any, Number] = {}
        key = itemgetter(*map(self.place, free)) if free else len

        def remember(env: Env) -> Number:
            at = key(env)
            if at not in memory:
                memory[at] = value(env)
            return memory[at]

        return remember

    def of_const(self, node: Const, scope: frozenset[Letter]) -> Value:
        number = node.value
        return lambda env: number

    def of_scalar(self, node: Scalar, scope: frozenset[Letter]) -> Value:
        if node.name == "pi" and "pi" not in self.scene.arrays:
            return lambda env: interval.pi()
        array = self.scene.array(node.name)
        if array.shape:
            raise EngineError(f"{node.name} is a scalar, but what was given has the shape {array.shape}")
        number = array.data[0]
        return lambda env: number

    def of_index(self, node: Index, scope: frozenset[Letter]) -> Value:
        affine = self.affine(node.affine)
        return lambda env: Fraction(affine(env))

    def of_add(self, node: Add, scope: frozenset[Letter]) -> Value:
        terms = [self.value(term, scope) for term in node.terms]
        return lambda env: duals.total([term(env) for term in terms])

    def of_mul(self, node: Mul, scope: frozenset[Letter]) -> Value:
        guards, _ = _open(node)
        tests = [self.guard(g, scope) for g in guards]
        factors = [self.value(f, scope) for f in node.factors if not isinstance(f, Bracket)]

        def multiply(env: Env) -> Number:
            for test in tests:
                if not test(env):
                    return reals.ZERO
            result: Number = reals.ONE
            for factor in factors:
                result = duals.times(result, factor(env))
            return result

        return multiply

    def of_bracket(self, node: Bracket, scope: frozenset[Letter]) -> Value:
        tests = [self.guard(g, scope) for g in _safest_first(node.guards)]
        return lambda env: reals.ONE if all(test(env) for test in tests) else reals.ZERO

    def of_pow(self, node: Pow, scope: frozenset[Letter]) -> Value:
        base, exponent = self.value(node.base, scope), node.exponent
        return lambda env: duals.power(base(env), exponent)

    def of_call(self, node: Call, scope: frozenset[Letter]) -> Value:
        arguments = [self.value(a, scope) for a in node.arguments]
        name, conventions = node.function, self.conventions
        own = self.scene.functions.get(name)
        if own is not None:
            function = own
            return lambda env: reals.exact(function(*(a(env) for a in arguments)))
        if name not in reals.FUNCTIONS and name not in ("max", "min"):
            raise EngineError(f"the function {name} is not known: give it in functions")
        return lambda env: duals.call(name, [a(env) for a in arguments], conventions)

    # -------------------------------------------------------------------------------------------------- reducers

    def of_reduce(self, node: Reduce, scope: frozenset[Letter]) -> Value:
        inner = scope.union(b.letter for b in node.binders)
        guards, body = list(node.guards), node.body
        if node.op == "sum":
            hoisted, body = _open(body)
            guards += hoisted
        before, nest = self.nest(node, guards, body, inner)
        finish = self.finish(node.op)

        def reduce(env: Env) -> Number:
            out: list[Any] = []
            if all(test(env) for test in before):
                nest(env, out)
            return finish(out)

        return reduce

    def nest(self, node: Reduce, guards: list[Guard], body: Node, inner: frozenset[Letter]) -> tuple[list[Test], Nest]:
        """The tests to make before any loop, and the loops, which append the body's value for every element."""
        binders = self.order(node.binders, guards) if node.op == "sum" else list(node.binders)
        letters = [b.letter for b in binders]
        depth_of = {letter: depth for depth, letter in enumerate(letters)}
        tests: list[list[Test]] = [[] for _ in range(len(letters) + 1)]  # tests[d + 1]: with letters 0..d bound
        narrows: list[list[Narrow]] = [[] for _ in letters]
        reached = -1
        for guard in guards:
            depth = max((depth_of.get(letter, -1) for letter in self.guard_letters(guard)), default=-1)
            reached = max(reached, depth)
            if isinstance(guard, AffineGuard) and guard.relation != "!=" and depth >= 0:
                narrows[depth].append(self.narrow(guard, letters[depth]))
            else:  # a comparison of data may rely on every guard before it
                tests[(reached if isinstance(guard, Compare) else depth) + 1].append(self.guard(guard, inner))
        code = None
        if node.is_position:
            extents = [self.scene.size(b.extent) for b in binders]
            strides = [prod(extents[d + 1 :]) for d in range(len(extents))]
            code = [(self.place(letter), stride) for letter, stride in zip(letters, strides, strict=True)]
        nest = _leaf(self.value(body, inner), code)
        for depth in reversed(range(len(letters))):
            extent, place = self.scene.size(binders[depth].extent), self.place(letters[depth])
            nest = _level(place, extent, narrows[depth], tests[depth + 1], nest)
        return tests[0], nest

    def order(self, binders: Sequence[Binder], guards: Sequence[Guard]) -> list[Binder]:
        """The loops of a sum: what an equality determines as soon as it does, else the shortest range."""
        ties = [set(self.guard_letters(g)) for g in guards if isinstance(g, AffineGuard) and g.relation == "=="]
        left = sorted(binders, key=lambda b: self.scene.size(b.extent))
        order: list[Binder] = []
        while left:
            still = {b.letter for b in left}
            found = next((b for b in left if any(tie & still == {b.letter} for tie in ties)), left[0])
            order.append(found)
            left.remove(found)
        return order

    def guard_letters(self, guard: Guard) -> list[Letter]:
        if isinstance(guard, Compare):
            return [*free_letters(guard.left), *free_letters(guard.right)]
        return [letter for letter, c in guard.affine.terms if self.scene.size(c)]

    def finish(self, op: str) -> Callable[[list[Any]], Number]:
        """What a reducer makes of its elements."""
        ties = self.conventions.ties
        if op == "sum":
            return duals.total
        if op in ("max", "min"):
            return lambda out: duals.extreme(out, op == "max", ties)
        if op == "logsumexp":
            return duals.logsumexp
        if op not in ("argmax", "argmin"):
            raise EngineError(f"the reducer {op} is not known")

        def position(out: list[Any]) -> Number:
            if not out:
                return Fraction(0)
            return Fraction(out[duals.winners([value for value, _ in out], op == "argmax")[0]][1])

        return position


def _safest_first(guards: Sequence[Guard]) -> list[Guard]:
    """Conditions on indices before comparisons of data, which may read; both in the order written."""
    return sorted(guards, key=lambda g: isinstance(g, Compare))


def _open(body: Node) -> tuple[list[Guard], Node]:
    """The conditions of a product's brackets, and the product without them."""
    factors = body.factors if isinstance(body, Mul) else (body,)
    guards = _safest_first([g for f in factors if isinstance(f, Bracket) for g in f.guards])
    rest = tuple(f for f in factors if not isinstance(f, Bracket))
    return (guards, body) if not guards else (guards, rest[0] if len(rest) == 1 else Mul(rest) if rest else ONE)


def _leaf(value: Value, code: list[tuple[int, int]] | None) -> Nest:
    if code is None:
        return lambda env, out: out.append(value(env))
    return lambda env, out: out.append((value(env), sum(stride * env[place] for place, stride in code)))


def _level(place: int, extent: int, narrows: list[Narrow], tests: list[Test], inner: Nest) -> Nest:
    def level(env: Env, out: list[Any]) -> None:
        low, high = 0, extent - 1
        for narrow in narrows:
            low, high = narrow(env, low, high)
        for value in range(low, high + 1):
            env[place] = value
            if all(test(env) for test in tests):
                inner(env, out)

    return level
