"""What the emission of one function keeps: its lines, the names in use, sizes, index arrays, what is known of ranges.

    scope.assign("total", value)     a line `total = ...`, and the value by that name
    scope.grid(i)                    `i = np.arange(I)`, once
    scope.slice(1, 2, I, H)          "1 : 1 + 2 * I : 2", as short as ranges allow
"""

from __future__ import annotations

__all__ = ["RESERVED", "Scope", "relation_text"]

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction

from paperback.calculus.guards import Box
from paperback.engines.emit.dialects import Dialect
from paperback.engines.emit.values import (
    AND,
    ATOM,
    COMPARE,
    PRODUCT,
    SUM,
    Value,
    aligned,
    call_arguments,
    plain_name,
    size_text,
)  # fmt: skip
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import AffineGuard, Binder, Compare, Divides, Guard, Node
from paperback.notation.size import Rounded, Size

RESERVED = {"np", "torch", "jnp", "jax", "F", "range", "max", "min", "sliding_window_view"}
LONG, LINE = 60, 84  # of one part, of all of an expression
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

Letters = tuple[Letter, ...]


class Scope:
    """The state of one function's emission; `value` and `multiplied` are given by `arrays.Arrays`."""

    def __init__(
        self, dialect: Dialect, like: str, names: Mapping[str, str], integers: frozenset[str], finite: bool
    ) -> None:
        self.dialect, self.like, self.integers, self.finite = dialect, like, integers, finite
        self.tensors = dict(names)
        self.ids: frozenset[str] = frozenset()  # integers that come from outside: their range is checked
        self.taken = RESERVED | set(names.values())
        self.box = Box()
        self.rank: dict[Letter, int] = {}
        self.lines: list[str] = []
        self.indent = "    "
        self.grids: dict[tuple[str, Size], str] = {}
        self.locals: dict[Size, str] = {}
        self.amounts: dict[str, str] = {}  # local sizes that are no polynomial: name -> text
        self.checks: dict[str, None] = {}
        self.known: dict[tuple[Node, bool], Value] = {}
        self.uses: Counter[Node] = Counter()
        self.counters: dict[str, Letter] = {}  # the counters of the loops around, and the letters they run for
        self.paddings: dict[tuple[str, object], list[tuple[Size, Size]]] = {}  # what serves all reads of a tensor
        self.spelled: dict[str, str] = {}  # paddings and windows: text -> name
        self.looped: set[str] = set()  # counters of loops: other loops may take them again
        self.guarded = False

    def value(self, node: Node) -> Value:
        raise NotImplementedError

    def multiplied(self, coefficient: Fraction, above: Sequence[Value], below: Sequence[Value]) -> Value:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------ lines, names

    def line(self, text: str) -> None:
        self.lines.append(f"{self.indent}{text}" if text else "")

    def fresh(self, hint: str) -> str:
        """A name that nothing has."""
        name, number = plain_name(hint), 1
        while name in self.taken:
            number += 1
            name = f"{plain_name(hint)}{number}"
        self.taken.add(name)
        return name

    def assign(self, hint: str, value: Value) -> Value:
        """The value under a name of its own."""
        if value.is_name or (value.plain and value.binds == ATOM):
            return value
        name = self.fresh(hint)
        self.line(f"{name} = {value.text}")
        return Value(name, value.letters, ATOM, value.kind, value.plain)

    def short(self, hint: str, value: Value) -> Value:
        """The value, under a name where its text is long."""
        return self.assign(hint, value) if len(value.text) > LONG else value

    def once(self, hint: str, value: Value) -> Value:
        """The value under a name that the same text has already, where it was named before."""
        name = self.spelled.get(value.text)
        if name is None:
            name = self.spelled[value.text] = self.assign(hint, value).text
        return Value(name, value.letters, ATOM, value.kind)

    def fitting(self, hint: str, values: Sequence[Value]) -> list[Value]:
        """The values, long ones under names where they do not fit on one line together."""
        if sum(len(value.text) for value in values) <= LINE:
            return list(values)
        return [self.short(hint, value) for value in values]

    @contextmanager
    def within(self, binders: Iterable[Binder], guarded: bool = False) -> Iterator[None]:
        """The letters of a reducer in scope; `guarded`: a guard decides whether what is read counts."""
        box, before = self.box, self.guarded
        self.box = box.with_binders(binders)
        for letter in self.box.extents:
            self.rank.setdefault(letter, len(self.rank))
        self.guarded = before or guarded
        yield
        self.box, self.guarded = box, before

    @contextmanager
    def loops(self, binders: Sequence[Binder]) -> Iterator[dict[Letter, Affine]]:
        """`for p in range(P):` over these letters; inside, they are numbers of Python's."""
        indent, known, box = self.indent, dict(self.known), self.box
        spelled = dict(self.spelled)
        names = {}
        counters: list[str] = []
        for binder in binders:
            name = plain_name(binder.letter.name)
            if name not in self.looped or name in (*self.counters, *counters):
                name = self.fresh(name)
            self.looped.add(name)
            counters.append(name)
            self.line(f"for {name} in range({self.text(binder.extent)}):")
            self.indent += "    "
            names[binder.letter] = Affine.of(Size.of(name))
        self.box = Box((), {**box.lower, **dict.fromkeys(counters, 0)}, box.axes)
        self.box.extents = dict(box.extents)
        before = self.counters
        self.counters = {**before, **dict(zip(counters, names, strict=True))}
        yield names
        self.indent, self.known, self.box, self.counters, self.spelled = indent, known, box, before, spelled

    # ------------------------------------------------------------------------------------------------ what is known

    def _lifted(self, affine: Affine) -> Affine:
        """The form with the counters of loops as letters, whose ranges are known."""
        for name, letter in self.counters.items():
            if name in affine.const.names:
                rest = affine.const.substitute({name: 0})
                slope = affine.const.substitute({name: 1}) - rest
                if affine.const == rest + slope * name:
                    affine = Affine(affine.terms, rest) + Affine.of(letter) * slope
        return affine

    def nonnegative(self, form: Affine | Size) -> bool:
        """Proved >= 0 for all letters in scope?"""
        return self.box.is_nonnegative(self._lifted(Affine.of(form)))

    def least(self, affine: Affine) -> Size | None:
        return self.box.least(self._lifted(affine))

    def in_range(self, affine: Affine, extent: Size) -> bool:
        return self.box.is_in_range(self._lifted(affine), extent)

    # ------------------------------------------------------------------------------------------------ sizes

    def local(self, size: Size, hint: str = "size") -> Size:
        """A size under one name: itself where it is a number or a name."""
        if size.is_int or str(size).isidentifier():
            return size
        if size not in self.locals:
            self.locals[size] = self.fresh(hint)
        return Size.of(self.locals[size])

    def name_extents(self, binders: Iterable[Binder]) -> None:
        """Give extents that are no names one that tells their letter: `n_i = H - P + 1`."""
        for binder in binders:
            self.local(binder.extent, f"n_{binder.letter.name}")

    def text(self, size: Size, least: int = AND) -> str:
        """A size as Python's; one that has a name by its name."""
        if size in self.locals:
            return self.locals[size]
        return size_text(size, least)

    def shape(self, letters: Letters) -> list[str]:
        return [self.text(self.box.extents[l]) for l in letters]

    def positive(self, size: Size, hint: str) -> Size:
        """max(size, 0)"""
        if self.nonnegative(size):
            return size
        if self.nonnegative(-size):
            return Size()
        text = f"max({self.text(size)}, 0)"
        name = next((name for name, known in self.amounts.items() if known == text), None)
        if name is None:
            name = self.fresh(hint)
            self.amounts[name] = text
        self.box.lower = {**self.box.lower, name: 0}
        return Size.of(name)

    def covers(self, start: Size, step: Size, count: Size, length: Size) -> bool:
        """Is `start + step*count` proved to be at least the length, so that a slice needs no end?"""
        return self.nonnegative(_floored(start + step * count - length))

    def slice(self, start: Size, step: Size, count: Size, length: Size) -> str:
        """`start : stop : step` that takes `count` places of an axis."""
        if count == Size.of(1) and step == Size.of(1) and length != count:
            return f"{size_text(start)} : {size_text(start + 1)}" if start else ":1"
        first = size_text(start) if start else ""
        stop = ""
        if not self.covers(start, step, count, length):
            stop = size_text(start + step * self.local(count))
        parts = [first, stop] + ([size_text(step)] if step != Size.of(1) else [])
        if all(part.isidentifier() or part.isdecimal() or not part for part in parts):
            return ":".join(parts)
        return " : ".join(parts).replace(" :  : ", " :: ").strip()

    # ------------------------------------------------------------------------------------------------ axes

    def sorted(self, letters: Iterable[Letter]) -> Letters:
        return tuple(sorted(dict.fromkeys(letters), key=self.rank.__getitem__))

    def union(self, values: Sequence[Value]) -> Letters:
        """The letters of all: in the order of the value that has them all, else in the order of their binding."""
        letters = dict.fromkeys(l for value in values for l in value.letters)
        for value in values:
            if len(value.letters) == len(letters):
                return value.letters
        return self.sorted(letters)

    def align(self, value: Value, letters: Letters) -> Value:
        return aligned(value, letters, self.dialect.transpose)

    def floats(self, value: Value) -> Value:
        """Integers and truth values as floats."""
        if value.kind == "float" or (value.plain and value.kind == "int"):
            return value
        return Value(self.dialect.cast(value.at(ATOM), self.like), value.letters)

    # ------------------------------------------------------------------------------------------------ letters

    def grid(self, letter: Letter) -> str:
        """The name of the array 0, 1, ... of a letter's values."""
        key = letter.name, self.box.extents[letter]
        if key not in self.grids:
            self.grids[key] = self.fresh(letter.name)
        return self.grids[key]

    def grid_lines(self) -> list[str]:
        found = []
        for (_, extent), name in self.grids.items():
            found.append(f"{name} = {self.dialect.arange(self.text(extent), self.like)}")
        return found

    def affine(self, affine: Affine, letters: Letters | None = None) -> Value:
        """An affine form as integers."""
        if affine.is_size:
            text = self.text(affine.const)
            atom = text.isidentifier() or text.isdecimal()
            return Value(text, (), ATOM if atom else SUM, "int", plain=True)
        own = letters or self.sorted(affine.letters)
        text = ""
        parts = [(c, self.align(Value(self.grid(l), (l,)), own).text) for l, c in affine]
        parts.sort(key=lambda part: (-part[0]).is_nonnegative(self.box.lower))
        for coefficient, name in parts:
            negative = (-coefficient).is_nonnegative(self.box.lower)
            size = -coefficient if negative else coefficient
            factor = "" if size == Size.of(1) else f"{size_text(size, PRODUCT)} * "
            sign = "-" if negative else "+" if text else ""
            text += (f" {sign} " if text else sign) + factor + name
        if affine.const:
            negative = (-affine.const).is_nonnegative(self.box.lower)
            size = -affine.const if negative else affine.const
            text += f" {'-' if negative else '+'} {size_text(size, PRODUCT)}"
        single = len(parts) == 1 and not affine.const and text.isidentifier()
        return Value(text, own, ATOM if single else SUM, "int")

    def mask(self, guards: Sequence[Guard]) -> Value:
        """Guards as truth values; what a later guard reads is protected by the earlier ones."""
        tests: list[Value] = []
        before = self.guarded
        for guard in dict.fromkeys(guards):
            tests.append(self.test(guard))
            self.guarded = True
        self.guarded = before
        if len(tests) == 1:
            return tests[0]
        letters = self.union(tests)
        text = " & ".join(self.align(test, letters).at(SUM) for test in tests)
        return Value(text, letters, AND, "bool", all(test.plain for test in tests))

    def test(self, guard: Guard) -> Value:
        if isinstance(guard, Compare):
            left, right = self.value(guard.left), self.value(guard.right)
            return self._related(left, guard.relation, right)
        if isinstance(guard, Divides):
            form = self.affine(guard.affine)
            text = f"{form.at(POWER_OF_MODULO)} % {size_text(guard.modulus, ATOM)} == 0"
            return Value(text, form.letters, COMPARE, "bool", form.plain)
        return self._affine_test(guard)

    def _affine_test(self, guard: AffineGuard) -> Value:
        """`t - 2*i >= 0` as `2 * i <= t`, letters with a minus on the other side."""
        if guard.affine.is_size:
            text = relation_text(guard.relation, guard.affine.const)
            return Value(text, (), COMPARE, "bool", plain=True)
        lower = self.box.lower
        below = Affine(tuple((l, -c) for l, c in guard.affine if (-c).is_nonnegative(lower)))
        above = guard.affine + below
        rest = guard.affine.const
        if not rest.is_nonnegative(lower):  # names keep their signs, and the number stays with them
            minus = Size(tuple((m, c) for m, c in rest.terms if c < 0 and (m or not rest.names)))
            above, below = above - minus, below - minus
        relation = "<=" if guard.relation == ">=" else guard.relation
        if relation == "<=" and above.is_size and above.const and above.const.constant == -1:
            relation, above = "<", above + 1
        elif relation == "<=" and below.is_size and below.const == Size.of(1):
            relation, below = "<", below - 1
        return self._related(self.affine(below), relation, self.affine(above))

    def _related(self, left: Value, relation: str, right: Value) -> Value:
        letters = self.union([left, right])
        left, right = self.short("left", left), self.short("right", right)
        if left.plain and not right.plain:
            left, right, relation = right, left, _TURNED[relation]
        text = f"{self.align(left, letters).at(SUM)} {relation} {self.align(right, letters).at(SUM)}"
        return Value(text, letters, COMPARE, "bool", left.plain and right.plain)

    def select(self, mask: Value, value: Value, other: str = "0") -> Value:
        """The value where the mask holds, else `other`, whatever the value is there."""
        value = self.floats(value)
        if mask.plain:
            value = self.assign("value", value)
            other = other if value.plain else f"{self.dialect.np}.zeros_like({value.text})"
            return Value(f"({value.text} if {mask.text} else {other})", value.letters, ATOM, plain=value.plain)
        if value.plain and other == "0":
            chosen = Value(self.dialect.cast(mask.at(ATOM), self.like), mask.letters)
            if value.text == "1":
                return chosen
            return Value(f"{value.at(PRODUCT)} * {chosen.text}", mask.letters, PRODUCT)
        if value.plain:
            value = Value(self.dialect.number(value.text, self.like))
        mask, value = self.short("mask", mask), self.short("value", value)
        letters = self.union([value, mask])
        text = self.dialect.where(self.align(mask, letters).text, self.align(value, letters).text, other)
        return Value(text, letters)

    def broadcast(self, value: Value, letters: Letters) -> Value:
        """The value with all these axes in full."""
        if value.letters == letters:
            return value
        shape = self.shape(letters)
        if value.plain:
            return Value(self.dialect.full(shape, value.text, self.like), letters)
        moved = self.align(value, letters)
        if set(value.letters) == set(letters):
            return moved
        return Value(self.dialect.broadcast(moved.text, shape), letters)

    def reshaped(self, value: Value, shape: Sequence[str], letters: Letters) -> Value:
        return Value(f"{value.at(ATOM)}.reshape{call_arguments(shape).replace(',)', ')')}", letters)


POWER_OF_MODULO = PRODUCT + 1


def relation_text(relation: str, size: Size) -> str:
    """`size relation 0`, with what is subtracted on the other side."""
    above = Size(tuple((m, c) for m, c in size.terms if c > 0))
    return f"{size_text(above, SUM)} {relation} {size_text(above - size, SUM)}"


def _floored(size: Size) -> Size:
    """A lower bound in which `d*floor(n/d)` is `n - d + 1`."""
    total = size
    for monomial, coefficient in size.terms:
        for place, atom in enumerate(monomial):
            if not isinstance(atom, Rounded) or atom.kind != "floor" or coefficient < 0:
                continue
            d, rest = atom.denominator, monomial[:place] + monomial[place + 1 :]
            if d.is_int and coefficient % d.value == 0 and not rest:
                total = total - Size(((monomial, coefficient),)) + (atom.numerator - d + 1) * (coefficient // d.value)
            elif len(rest) == 1 and Size.of(1) * Size(((rest, 1),)) == d:
                total = total - Size(((monomial, coefficient),)) + (atom.numerator - d + 1) * coefficient
    return total
