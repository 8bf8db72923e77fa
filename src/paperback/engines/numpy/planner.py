"""From an expression with numeric sizes to the nodes that run it: everything that needs no data is decided here."""

from __future__ import annotations

__all__ = ["Planner"]

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import inf, pi, prod
from typing import Any

import numpy as np

from paperback.engines.numpy import nodes as run
from paperback.engines.numpy.functions import FUNCTIONS, number_of
from paperback.engines.numpy.guards import AffineTest, Comparison, DividesTest, Gather, Masked
from paperback.engines.numpy.reductions import ArgExtreme, Contraction, Extreme, FullSum, LogSumExp
from paperback.engines.numpy.route import RoutedSum, find_route
from paperback.engines.numpy.scatter import ShiftedSum, find_windows
from paperback.engines.numpy.views import Form, StridedRead
from paperback.errors import EngineError
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import (
    Add,
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
    bracket,
    mul,
)
from paperback.notation.walk import children, free_letters

_TAPS = 64


class Planner:
    """Plans expressions over the letters of `extents`, for one dtype and one bound on temporaries (in bytes)."""

    def __init__(
        self,
        extents: Mapping[Letter, int],
        shapes: Mapping[str, Sequence[int]],
        integers: frozenset[str],
        functions: Mapping[str, Callable[..., Any]],
        dtype: np.dtype[Any],
        limit: int,
    ) -> None:
        self.extents = dict(extents)
        self.shapes, self.integers, self.functions = shapes, integers, functions
        self.dtype, self.limit, self.item = dtype, limit, dtype.itemsize
        self.rank: dict[Letter, int] = {letter: k for k, letter in enumerate(extents)}
        self.known: dict[tuple[Node, bool], run.Node] = {}
        self.uses: Counter[Node] = Counter()

    def plan(self, expr: Node, integer: bool = False) -> run.Node:
        """The node that computes the expression; `integer`: leave integers as they are."""
        self._count(expr)
        return self._of(expr, integer)

    def _count(self, node: Node) -> None:
        self.uses[node] += 1
        if self.uses[node] == 1:
            if isinstance(node, Reduce):
                for binder in node.binders:
                    self.extents[binder.letter] = binder.extent.value
                    self.rank[binder.letter] = len(self.rank)
            for child in children(node):
                self._count(child)

    def _of(self, node: Node, integer: bool = False) -> run.Node:
        """A node of floats, or, with `integer`, of integers where the expression is one."""
        key = (node, integer)
        if key not in self.known:
            made = self._make(node, integer)
            if made.integer and not integer:
                if isinstance(made, run.Constant):
                    made = run.Constant(self.dtype.type(made.number))
                else:
                    made = run.Cast(made, self.dtype)
            if self.uses[node] > 1 and made.children and not made.guarded:
                made.shared, made.fresh = True, False
            self.known[key] = made
        return self.known[key]

    def _make(self, node: Node, integer: bool) -> run.Node:
        match node:
            case Const():
                if node.value.denominator == 1 and integer and abs(node.value) < 2**63:
                    return run.Constant(int(node.value), integer=True)
                return run.Constant(self._number(node.value))
            case Scalar(name="pi"):
                return run.Constant(self.dtype.type(pi))
            case Scalar():
                return run.Scalar(node.name)
            case Index():
                return run.Index(Form(node.affine), self._sorted(node.affine.letters))
            case Read():
                return self._read(node)
            case Add():
                return self._add(node, integer)
            case Mul():
                return self._mul(node, integer)
            case Bracket():
                mask = self._mask(node.guards)
                return run.Product(self.dtype.type(1), (), (), mask, mask.letters, self.item, False)
            case Pow():
                return run.Power(self._of(node.base), node.exponent, self.item)
            case Call():
                return self._call(node)
            case Reduce():
                return self._reduce(node)
        raise TypeError(f"no rule for {node!r}")

    def _number(self, value: Fraction | float) -> Any:
        return number_of(value, self.dtype)

    def _sorted(self, letters: Sequence[Letter]) -> tuple[Letter, ...]:
        return tuple(sorted(dict.fromkeys(letters), key=self.rank.__getitem__))

    def _union(self, parts: Sequence[run.Node]) -> tuple[Letter, ...]:
        return self._sorted([l for part in parts for l in part.letters])

    # ------------------------------------------------------------------------------------------------ reads

    def _read(self, node: Read) -> run.Node:
        if node.tensor not in self.shapes:
            raise EngineError(f"{node.tensor} is read, but it is neither given nor computed before")
        shape = self.shapes[node.tensor]
        whole = node.tensor in self.integers
        item = 8 if whole else self.item
        kind = np.dtype(np.float64) if whole else self.dtype
        if all(isinstance(index, Affine) for index in node.indices):
            forms = [Form(index) for index in node.indices if isinstance(index, Affine)]
            pad = float(number_of(node.pad or 0, kind))
            if whole and pad in (inf, -inf):
                raise EngineError(f"{node.tensor} holds integers: it cannot be padded with {pad}")
            return run.ReadView(node.tensor, StridedRead(forms, shape, pad), whole, item)
        indices = [self._index(node, index) for index in node.indices]
        pads = None if node.pad is None else float(number_of(node.pad, kind))
        return Gather(node.tensor, indices, shape, pads, self._sorted(free_letters(node)), self.extents, whole, item)

    def _index(self, node: Read, index: IndexExpr) -> Form | tuple[Form, int] | run.Node:
        if isinstance(index, Affine):
            return Form(index)
        if isinstance(index, Quotient):
            return Form(index.affine), index.divisor.value
        place = self._of(index, integer=True)
        if not place.integer:
            raise EngineError(
                f"{index.tensor} is used as an index of {node.tensor}, but it does not hold integers\n"
                f"  declare it: where {index.tensor} int"
            )
        return place

    # ------------------------------------------------------------------------------------------------ arithmetic

    def _add(self, node: Add, integer: bool) -> run.Node:
        if integer:
            terms = [self._of(term, True) for term in node.terms]
            if all(term.integer for term in terms):
                return run.Sum([(1, _wide(term)) for term in terms], self._union(terms), 8, True)
        parts: list[tuple[Any, run.Node]] = []
        for term in node.terms:
            factors = term.factors if isinstance(term, Mul) else (term,)
            if isinstance(factors[0], Const) and abs(factors[0].value) == 1 and self.uses[term] == 1:
                parts.append((int(factors[0].value), self._of(_product(factors[1:]))))
            else:
                parts.append((1, self._of(term)))
        return run.Sum(parts, self._union([part for _, part in parts]), self.item, False)

    def _mul(self, node: Mul, integer: bool) -> run.Node:
        guards = tuple(g for f in node.factors if isinstance(f, Bracket) for g in f.guards)
        plain = [f for f in node.factors if not isinstance(f, Bracket)]
        if integer and not guards:
            factors = [self._of(f, True) for f in plain]
            if all(f.integer for f in factors):
                return run.Product(1, [_wide(f) for f in factors], (), None, self._union(factors), 8, True)
        return self._product(plain, guards)

    def _product(self, factors: Sequence[Node], guards: tuple[Guard, ...]) -> run.Node:
        """An elementwise product of floats, selected by the guards; reciprocals are divisions."""
        coefficient = Fraction(1)
        above: list[run.Node] = []
        below: list[run.Node] = []
        for factor in factors:
            if isinstance(factor, Const):
                coefficient *= factor.value
            elif isinstance(factor, Pow) and factor.exponent == -1:
                below.append(self._of(factor.base))
            else:
                above.append(self._of(factor))
        mask = self._mask(guards) if guards else None
        if coefficient == 1 and mask is None and len(above) == 1 and not below:
            return above[0]
        parts = [*above, *below, *(() if mask is None else (mask,))]
        return run.Product(self._number(coefficient), above, below, mask, self._union(parts), self.item, False)

    def _call(self, node: Call) -> run.Node:
        arguments = [self._of(argument) for argument in node.arguments]
        known = FUNCTIONS.get(node.function)
        function = known or self.functions.get(node.function)
        if function is None:
            raise EngineError(
                f"{node.function} is a function without a definition\n"
                f'  give one: formula.with_functions({{"{node.function}": callable on arrays}})'
            )
        return run.Call(function, arguments, self._union(arguments), self.item, known is not None)

    # ------------------------------------------------------------------------------------------------ guards

    def _mask(self, guards: Sequence[Guard]) -> run.Node:
        tests = [self._test(guard) for guard in guards]
        return tests[0] if len(tests) == 1 else Masked(tests, self._union(tests))

    def _test(self, guard: Guard) -> run.Node:
        if isinstance(guard, Compare):
            left, right = self._of(guard.left, True), self._of(guard.right, True)
            return Comparison(guard.relation, left, right, self._union((left, right)))
        form, letters = Form(guard.affine), self._sorted(guard.affine.letters)
        if isinstance(guard, Divides):
            return DividesTest(form, guard.modulus.value, letters)
        return AffineTest(form, guard.relation, letters)

    # ------------------------------------------------------------------------------------------------ reducers

    def _reduce(self, node: Reduce) -> run.Node:
        binders = [(b.letter, b.extent.value) for b in node.binders]
        if node.op == "sum":
            return self._sum(node, binders)
        mask = self._mask(node.guards) if node.guards else None
        body = self._of(node.body)
        missing = [l for l, _ in binders if l not in body.letters and (mask is None or l not in mask.letters)]
        made: run.Node
        if node.op in ("max", "min"):
            made = extreme = Extreme(1 if node.op == "max" else -1, binders, body, mask, self.rank, self.item)
            steps = extreme.steps
        elif node.is_position:
            made = code = ArgExtreme(1 if node.op == "argmax" else -1, binders, body, mask, self.rank, 8)
            steps = code.steps
        else:
            made = total = LogSumExp(binders, body, mask, self.rank, self.item)
            steps = total.steps
        if not missing and prod(n for _, n in binders) <= _TAPS and self._is_window(node):
            steps.update((l, 1) for l, _ in binders)
        return made

    def _is_window(self, node: Reduce) -> bool:
        """Does a binder share an index with another letter, so that the whole body would repeat its reads?"""
        own = {b.letter for b in node.binders}
        stack: list[Node] = [node.body]
        while stack:
            inner = stack.pop()
            if isinstance(inner, Read):
                for index in inner.indices:
                    if isinstance(index, Affine) and len(index.terms) > 1 and own.intersection(index.letters):
                        return True
            stack.extend(children(inner))
        return False

    def _sum(self, node: Reduce, binders: list[tuple[Letter, int]]) -> run.Node:
        own = {l for l, _ in binders}
        factors = node.body.factors if isinstance(node.body, Mul) else (node.body,)
        if isinstance(node.body, Add) and self._distributes(node.body):
            parts = [
                self._of(self._counted(Reduce("sum", node.binders, node.guards, term))) for term in node.body.terms
            ]
            return run.Sum([(1, part) for part in parts], self._union(parts), self.item, False)
        guards = (*node.guards, *(g for f in factors if isinstance(f, Bracket) for g in f.guards))
        plain = [f for f in factors if not isinstance(f, Bracket)]
        tests = {guard: self._test(guard) for guard in guards}
        inside = [guard for guard in guards if own.intersection(tests[guard].letters)]
        outside = tuple(guard for guard in guards if guard not in inside)
        coefficient = prod((f.value for f in plain if isinstance(f, Const)), start=Fraction(1))
        nodes = [self._of(f) for f in plain if not isinstance(f, Const)]
        made: run.Node
        route = find_route(inside, plain, own, lambda side: self._of(side, True))
        if route is not None and not any(n.guarded for n in nodes):
            guard, route_to = route
            keys = [(l, n) for l, n in binders if l in route_to.codes.letters]
            rest = tuple(b for b in node.binders if b.letter not in route_to.codes.letters)
            product = mul(*plain, bracket(*(g for g in inside if g is not guard)))
            summand = self._of(self._counted(Reduce("sum", rest, (), product)) if rest else product)
            made = RoutedSum(route_to, summand, keys, self.rank, self.item)
        elif not nodes and not inside:
            made = run.Constant(self._number(coefficient * prod(n for _, n in binders)))
        else:
            general = self._full(binders, plain, tuple(inside))
            masks = [tests[guard] for guard in inside]
            made = plain_sum = self._contraction(
                self._number(coefficient), binders, nodes, masks, general, self._reorders(nodes, masks, own)
            )
            if not masks and len(nodes) == 2:
                made = self._shifted(coefficient, binders, nodes, plain_sum) or plain_sum
        if outside:
            mask = self._mask(outside)
            made = run.Product(self.dtype.type(1), (made,), (), mask, self._union((made, mask)), self.item, False)
        return made

    def _reorders(self, factors: Sequence[run.Node], masks: Sequence[run.Node], own: set[Letter]) -> bool:
        """May the contraction multiply what the sum as written does not? Only inf and NaN can tell."""
        if len(factors) < 2:
            return any(not set(mask.letters) <= set(f.letters) for mask in masks for f in factors)
        uses = Counter(l for f in factors for l in f.letters if l in own)
        return bool(masks) or len(factors) > 2 or 1 in uses.values()

    def _contraction(
        self,
        coefficient: Any,
        binders: list[tuple[Letter, int]],
        factors: Sequence[run.Node],
        masks: Sequence[run.Node],
        general: FullSum,
        checked: bool,
    ) -> Contraction:
        return Contraction(
            coefficient, binders, factors, masks, general, self.rank, self.extents, self.dtype, self.limit, checked
        )

    def _shifted(
        self, coefficient: Fraction, binders: list[tuple[Letter, int]], factors: Sequence[run.Node], plain: Contraction
    ) -> run.Node | None:
        """The sum over a padded window as shifted products, where that is less work."""
        own = [l for l, _ in binders]
        for read, other in (factors, factors[::-1]):
            if not isinstance(read, run.ReadView) or read.read.pad or plain.absent or other.shared:
                continue
            windows = find_windows(read, other, own)
            region = read.read.region({l: (0, self.extents[l]) for l in read.letters})
            if not windows or region is None:
                continue
            inner = {w.source: w.extent for w in windows}
            extents = {**self.extents, **inner}
            at = {w.axis: Form(w.index) for w in windows}
            forms = [at.get(axis, form) for axis, form in enumerate(read.read.forms)]
            view = StridedRead(forms, read.read.shape, 0.0)
            if view.region({l: (0, extents[l]) for l in view.letters}) is not None:
                continue

            def size(letters: set[Letter], extents: Mapping[Letter, int] = extents) -> int:
                return prod(extents[l] for l in letters)

            offsets = [w.offset for w in windows]
            rest = [(l, n) for l, n in binders if l not in offsets]
            products = {*view.letters, *other.letters} - {l for l, _ in rest}
            gathered = size({*read.letters, *other.letters}) + 32 * size(set(read.letters))
            shifted = size({*view.letters, *other.letters}) + 48 * size(products)
            if shifted < gathered:
                self.rank.update((l, len(self.rank) + k) for k, l in enumerate(inner))
                self.extents.update(inner)
                source = run.ReadView(read.tensor, view, False, self.item)
                pair = [source, other] if read is factors[0] else [other, source]
                turned = self._contraction(1, rest, pair, (), plain.general, False)
                return ShiftedSum(plain, turned, other, windows, self.extents, self._number(coefficient))
        return None

    def _full(self, binders: list[tuple[Letter, int]], factors: Sequence[Node], guards: tuple[Guard, ...]) -> FullSum:
        """The sum with its product formed in full, for the select."""
        body = self._product([f for f in factors if not isinstance(f, Const)], ())
        return FullSum(binders, body, self._mask(guards) if guards else None, self.rank, self.item)

    def _counted(self, node: Node) -> Node:
        self.uses[node] += 1
        return node

    def _distributes(self, body: Add) -> bool:
        """Is the sum of terms over a greater box than any factor of them? Then each term is contracted by itself."""
        size = prod(self.extents[l] for l in free_letters(body))
        factors = [f for t in body.terms for f in (t.factors if isinstance(t, Mul) else (t,))]
        return size > 4 * max(prod(self.extents[l] for l in free_letters(f)) for f in factors)


def _wide(node: run.Node) -> run.Node:
    """Codes may be stored in a few bits: arithmetic on integers is done in 64."""
    if isinstance(node, run.Constant | run.Index):
        return node
    wide = run.Cast(node, np.dtype(np.int64))
    wide.integer = True
    return wide


def _product(factors: tuple[Node, ...]) -> Node:
    if len(factors) == 1:
        return factors[0]
    result: Node = Mul(factors)
    return result
