"""The structure of a derivative, read off its terms: which letters go together, and how.

    dy_dw[o; t,u] = [u == o]*x[t]          the letters o, u meet in a guard, t in a factor alone:  x^T (x) identity
    dy_dx[i; t] = [0 <= t-2*i < P]*w[t-2*i]     i and t occur as t-2*i alone:  Toeplitz of stride 2, band 0..P-1
    dS_dz[i; t] = [t == i]*S[i] - S[i]*S[t]     a diagonal and a product of a row's and a column's factor

Two letters go together where a guard, a factor or a summed letter has both. Letters that do not split every term into a
product, and so the matrix into a Kronecker product of parts; a part that the terms do not share is read as a whole:

    1. an equality that all terms have ties a column to a row (identity, diagonal), or to several (selection)
    2. a letter that vanishes by t -> t + a*o is Toeplitz with stride a, and what the guards then say of t is its band
    3. what is left is dense, or a diagonal and products of what rows have and columns have (rank)
"""

from __future__ import annotations

__all__ = ["read_structure", "structure"]

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from paperback.calculus.chain import Jacobian, Kinks, jacobian_terms
from paperback.calculus.conventions import DEFAULT
from paperback.calculus.guards import Box
from paperback.calculus.structure import Count, Pair, Part, Structure
from paperback.calculus.support import Choices, bounds, chosen, counted, grouped, projected, support
from paperback.calculus.term import Term
from paperback.calculus.wording import index_text, structure_words
from paperback.notation.affine import Affine, Letter
from paperback.notation.block import Block
from paperback.notation.expr import AffineGuard, Binder, Compare, Const, Guard, Index, Node, Read, Statement
from paperback.notation.size import Size
from paperback.notation.walk import free_letters, guard_letters, nodes

_ONE = Size.of(1)


def structure(block: Block, wrt: str, conventions: Kinks = DEFAULT) -> Structure:
    """The structure of the Jacobian of the block's result by one input."""
    block = _with_facts(block)
    jacobian = jacobian_terms(block, wrt, conventions)
    if jacobian is None:
        return Structure.unread(block.result.axes, block.inputs[wrt].axes)
    return read_structure(block, jacobian, wrt)


def read_structure(block: Block, jacobian: Jacobian, wrt: str) -> Structure:
    """The same, where the terms are at hand."""
    result, columns = jacobian.result, jacobian.columns
    statements = (*block.statements, *jacobian.selectors)
    choices: dict[str, Node | None] = {t.name: None for t in block.inputs.values() if t.integer}
    choices |= {s.target: s.expr for s in statements if s.is_position}
    axes = {t.name: t.axes for t in block.inputs.values()} | {s.target: s.axes for s in statements}
    reader = _Reader(result.binders, columns, Box((*result.binders, *columns), block.lower, axes), choices)
    parts = reader.parts(jacobian.terms)
    count = Count.of(Size.of(1 if jacobian.terms else 0))
    for part in parts:
        count = count * part.count
    if any(not guard_letters(g) for term in jacobian.terms for g in term.guards):  # all of it may be zero
        count = count.most
    places = () if _in_order(result) else tuple(map(index_text, result.left))
    sides = tuple((b.letter.name, b.extent) for b in result.binders), tuple((b.letter.name, b.extent) for b in columns)
    words = structure_words(parts, sides, places) if jacobian.terms else "zero"
    return Structure(result.axes, block.inputs[wrt].axes, words, count, parts, sides)


def _with_facts(block: Block) -> Block:
    """The block with sizes that are known by an equation put in: `6 == I` makes I a 6."""
    for fact in block.facts:
        for monomial, coefficient in fact.size.terms if fact.relation == "==" else ():
            name = monomial[0] if len(monomial) == 1 else None
            rest = fact.size - Size.of(name) * coefficient if isinstance(name, str) else fact.size
            if isinstance(name, str) and abs(coefficient) == 1 and name not in rest.names:
                return _with_facts(block.at({name: rest * -coefficient}))
    return block


def _in_order(result: Statement) -> bool:
    """Are the rows, in row-major order, the values of the statement's letters in their order?"""
    code, plain = Affine(), Affine()
    for index, axis in zip(result.left, result.axes, strict=True):
        code = code * axis + index
    for binder in result.binders:
        plain = plain * binder.extent + binder.letter
    return code == plain and Count.of(*result.axes).size == Count.of(*(b.extent for b in result.binders)).size


@dataclass(frozen=True)
class _Left:
    """What is left of the terms of one part: the letters that no pair has taken yet, and the pairs."""

    rows: tuple[Letter, ...]
    columns: tuple[Letter, ...]
    terms: tuple[Term, ...]
    pairs: tuple[Pair, ...] = ()

    def without(self, letters: Sequence[Letter], terms: Iterable[Term], pair: Pair) -> _Left:
        rows, columns = (tuple(l for l in side if l not in letters) for side in (self.rows, self.columns))
        return _Left(rows, columns, tuple(terms), (*self.pairs, pair))


Piece = tuple[frozenset[Letter], Term]


class _Reader:
    """Reads the terms of one Jacobian."""

    def __init__(self, rows: Sequence[Binder], columns: Sequence[Binder], box: Box, choices: Choices) -> None:
        self.rows, self.columns, self.box, self.choices = rows, columns, box, choices
        self.places = {b.letter: place for side in (rows, columns) for place, b in enumerate(side)}

    def parts(self, terms: Sequence[Term]) -> tuple[Part, ...]:
        """The factors of the Kronecker product, in the order of their columns."""
        if not terms:
            return ()
        split = [self._pieces(term, self.places) for term in terms]
        shared = [piece for piece in split[0] if piece[0] and all(_has(pieces, piece) for pieces in split[1:])]
        groups: list[tuple[frozenset[Letter], tuple[Term, ...]]] = [(own, (term,)) for own, term in shared]
        if len(terms) > 1:
            rest = [_together(piece for piece in pieces if not _has(shared, piece)) for pieces in split]
            groups.append((frozenset(self.places).difference(*(own for own, _ in shared)), tuple(t for _, t in rest)))
        factor = len(terms) > 1 or any(not own and (t.factors or t.binders) for own, t in split[0])
        parts = _merged([self._part(own, pieces, factor) for own, pieces in groups if own])
        return tuple(sorted(parts, key=lambda part: (part.columns or (-1,), part.rows)))

    def _pieces(self, term: Term, sides: Iterable[Letter]) -> list[Piece]:
        """The term as a product: letters of the sides with what joins them; no letters for a mere factor."""
        ends = tuple(sides)
        items = [(item, free_letters(item) if isinstance(item, Node) else guard_letters(item))
                 for item in (*term.guards, *term.factors)]  # fmt: skip
        letters = [*ends, *(b.letter for b in term.binders)]
        found = [(frozenset(own), inside) for own, inside in grouped(letters, items)]
        found.append((frozenset(), [item for item, own in items if not set(own) & set(letters)]))
        return [
            (
                own.intersection(ends),
                Term(
                    tuple(b for b in term.binders if b.letter in own),
                    tuple(item for item in inside if not isinstance(item, Node)),
                    tuple(item for item in inside if isinstance(item, Node)),
                ),
            )
            for own, inside in found
        ]

    # ------------------------------------------------------------------------------------------------- one part

    def _part(self, own: frozenset[Letter], terms: tuple[Term, ...], scaled: bool) -> Part:
        binders = [b for b in (*self.rows, *self.columns) if b.letter in own]
        supports = [(term.binders, support(term, self.box)) for term in terms]
        count = counted(binders, supports, self.box, self.choices)
        rows, columns = (tuple(b.letter for b in side if b.letter in own) for side in (self.rows, self.columns))
        left = self._tied(_Left(rows, columns, terms))
        plain = len(terms) == 1 and not terms[0].factors and not terms[0].binders
        of_data = any(isinstance(g, Compare) for term in left.terms for g in term.guards)
        part = Part("", self._at(rows), self._at(columns), count, values="ones" if plain and not scaled else "")
        part = replace(part, values="zero or one" if plain and of_data else part.values)
        if not rows or not columns:
            constant = plain and not terms[0].guards
            return replace(part, kind="column" if rows else "row", values="equal" if constant else "")
        rank, minus = self._rank(left)
        if not rank:
            left = self._banded(self._toeplitz(left))
        kind = _kind(left, plain, rank)
        return replace(
            part, kind=kind, pairs=left.pairs, rank=rank, minus=minus,
            core=(self._at(left.rows), self._at(left.columns)),
        )  # fmt: skip

    def _at(self, letters: Iterable[Letter]) -> tuple[int, ...]:
        return tuple(self.places[letter] for letter in letters)

    def _tied(self, left: _Left) -> _Left:
        """Pairs that equalities of all terms tie: those of letters first, then whole numbers among the data."""
        shared = [g for g in left.terms[0].guards if all(g in term.guards for term in left.terms)]
        for guard in shared:
            if isinstance(guard, AffineGuard) and guard.relation == "==":
                found = self._equal(left, guard, left.columns, self.rows) or self._equal(
                    left, guard, left.rows, self.columns
                )
                if found is not None:
                    return self._tied(found)
        for guard in shared:
            if isinstance(guard, Compare) and (choice := chosen(guard, self.choices)) is not None:
                found = self._choice(left, guard, *choice)
                if found is not None:
                    return self._tied(found)
        return left

    def _equal(
        self, left: _Left, guard: AffineGuard, side: Sequence[Letter], other: Sequence[Binder]
    ) -> _Left | None:
        """An equality solved for a letter of one side, by letters of the other."""
        known = {b.letter for b in other}
        for letter in side:
            coefficient = guard.affine.coefficient(letter)
            rest = guard.affine.without(letter)
            if coefficient not in (_ONE, -_ONE) or not rest.terms or not known.issuperset(rest.letters):
                continue
            value = rest if coefficient == -_ONE else -rest
            extents = self.box.extents
            same = value.bare is not None and extents[value.bare] == extents[letter]
            same = same or self._is_code(value, extents[letter])
            pair = self._pair("identity" if same else "selection", (*value.letters, letter))
            terms = (
                replace(term, guards=tuple(g for g in term.guards if g != guard)).substitute({letter: value})
                for term in left.terms
            )
            return left.without((letter, *value.letters), terms, pair)
        return None

    def _is_code(self, value: Affine, extent: Size) -> bool:
        """Do letters, in their order, number the places of an axis, the last the fastest?"""
        places, plain, size = self.places, Affine(), _ONE
        for letter in sorted(value.letters, key=lambda letter: places[letter]):
            plain = plain * self.box.extents[letter] + letter
            size = size * self.box.extents[letter]
        return value == plain and size == extent

    def _pair(self, kind: str, letters: Sequence[Letter]) -> Pair:
        rows = [l for l in letters if any(b.letter == l for b in self.rows)]
        columns = [l for l in letters if l not in rows]
        return Pair(kind, self._at(rows), self._at(columns))

    def _choice(self, left: _Left, guard: Guard, read: Read, index: Affine) -> _Left | None:
        """A whole number among the data that names a place: the columns of the index are known by the rest."""
        inner = free_letters(read)
        if not self.places.keys() >= set(inner):
            return None
        named = [letter for letter in index.letters if letter in left.columns]
        side = [letter for letter in inner if letter in left.rows]
        if not named:
            named, side = ([l for l in index.letters if l in left.rows], [l for l in inner if l in left.columns])
        if not named or not set(named).isdisjoint(inner):
            return None
        terms = (
            replace(term, guards=tuple(g for g in term.guards if set(named).isdisjoint(guard_letters(g))))
            for term in left.terms
        )
        return left.without((*named, *side), terms, self._pair("selection", (*side, *named)))

    def _toeplitz(self, left: _Left) -> _Left:
        """Pairs (o, t) whose letters occur as t - a*o alone."""
        for row in left.rows:
            for column in left.columns:
                for one, other, stride in _strides(left.terms, row, column):
                    terms = [_apart(term, one, other, stride) for term in left.terms]
                    if not any(other in _letters(term) for term in terms):
                        pair = self._band_pair("Toeplitz", row, column, one, stride, terms)
                        return self._toeplitz(left.without((row, column), terms, pair))
        return left

    def _banded(self, left: _Left) -> _Left:
        """Pairs (o, t) that guards of t - a*o keep in a band, whatever else depends on them."""
        for row in left.rows:
            for column in left.columns:
                guarded = [replace(term, guards=support(term, self.box), factors=()) for term in left.terms]
                for one, other, stride in _strides(guarded, row, column):
                    terms = [_apart(term, one, other, stride) for term in guarded]
                    pair = self._band_pair("banded", row, column, one, stride, terms)
                    if pair.low is not None or pair.high is not None:
                        return self._banded(left.without((row, column), left.terms, pair))
        return left

    def _band_pair(
        self, kind: str, row: Letter, column: Letter, one: Letter, stride: Size, terms: Sequence[Term]
    ) -> Pair:
        """A pair with its band: between which values of the letter `one` the terms are not zero."""
        bands = []
        for term in terms:
            inside = self.box.with_binders(term.binders)
            guards = support(term, inside)
            for binder in term.binders:
                guards, _ = projected(guards, binder, inside, one)
            own = (g for g in guards if isinstance(g, AffineGuard) and guard_letters(g) == (one,))
            bands.append(bounds(own, one, self.box))
        low, high = bands[0] if len(set(bands)) == 1 and bands[0] is not None else (None, None)
        return Pair(kind, self._at([row]), self._at([column]), stride, one == row, low, high)

    def _rank(self, left: _Left) -> tuple[int, bool]:
        """Of a diagonal and products of a row's and a column's factor: how many products, and is it one taken off?"""
        diagonal, products = 0, []
        for term in left.terms:
            pieces = self._pieces(term, (*left.rows, *left.columns))
            joined = [own for own, _ in pieces if own.intersection(left.rows) and own.intersection(left.columns)]
            alone = self._tied(replace(left, terms=(term,)))
            if joined and not alone.rows and not alone.columns and all(p.kind == "identity" for p in alone.pairs):
                diagonal += 1
            elif not joined:
                products.append(term)
            else:
                return 0, False
        if not diagonal or not products or not left.rows:
            return 0, False
        sides = [
            {frozenset(f for f in term.factors if set(side) & set(free_letters(f))) for term in products}
            for side in (left.rows, left.columns)
        ]
        minus = len(products) == 1 and any(isinstance(f, Const) and f.value < 0 for f in products[0].factors)
        return min(map(len, sides)), minus


def _kind(left: _Left, plain: bool, rank: int) -> str:
    """The one word for a part."""
    kinds = {pair.kind for pair in left.pairs}
    if rank:
        return "diagonal plus rank"
    if left.rows or left.columns:
        return "block" if kinds else "dense"
    if kinds & {"Toeplitz", "banded"}:
        return next(iter(kinds)) if len(left.pairs) == 1 else "block"
    if kinds == {"identity"}:
        return "identity" if plain and not any(term.guards for term in left.terms) else "diagonal"
    return "selection"


def _has(pieces: Iterable[Piece], piece: Piece) -> bool:
    """Is there an equal piece? (One that sums is taken for another.)"""
    own, term = piece
    if term.binders:
        return False
    key = own, set(term.guards), Counter(term.factors)
    return any(key == (letters, set(t.guards), Counter(t.factors)) for letters, t in pieces if not t.binders)


def _together(pieces: Iterable[Piece]) -> Piece:
    """The product of pieces."""
    own: frozenset[Letter] = frozenset()
    whole = Term((), (), ())
    for letters, term in pieces:
        own |= letters
        whole = Term(
            (*whole.binders, *term.binders), (*whole.guards, *term.guards), (*whole.factors, *term.factors)
        )
    return own, whole


def _merged(parts: Sequence[Part]) -> list[Part]:
    """Identities (and diagonals) are one, and so are rows, and columns; rows and columns alone have rank one."""
    diagonal = [part for part in parts if part.kind in ("identity", "diagonal")]
    rows = [part for part in parts if part.kind == "row"]
    columns = [part for part in parts if part.kind == "column"]
    rest = [part for part in parts if part not in (*diagonal, *rows, *columns)]
    if rows and columns and not diagonal and not rest:
        return [replace(_product([*rows, *columns]), kind="rank one")]
    return [*(_product(group) for group in (diagonal, rows, columns) if group), *rest]


def _product(parts: Sequence[Part]) -> Part:
    first = max(parts, key=lambda part: part.kind == "diagonal")
    count = Count.of()
    for part in parts:
        count = count * part.count
    return replace(
        first,
        rows=tuple(sorted(place for part in parts for place in part.rows)),
        columns=tuple(sorted(place for part in parts for place in part.columns)),
        pairs=tuple(pair for part in parts for pair in part.pairs),
        values=first.values if len({part.values for part in parts}) == 1 else "",
        count=count,
    )


def _letters(term: Term) -> set[Letter]:
    return {l for g in term.guards for l in guard_letters(g)} | {l for f in term.factors for l in free_letters(f)}


def _apart(term: Term, one: Letter, other: Letter, stride: Size) -> Term:
    """The term with t for t - a*o."""
    return term.substitute({one: Affine.of(one) + Affine.of(other) * stride})


def _strides(terms: Sequence[Term], row: Letter, column: Letter) -> Iterator[tuple[Letter, Letter, Size]]:
    """Every t - a*o that occurs, as (t, o, a): t is the column's letter, or the row's where only that has slope 1."""
    seen = set()
    for affine in (affine for term in terms for affine in _affines(term)):
        for one, other in ((column, row), (row, column)):
            slope, factor = affine.coefficient(one), affine.coefficient(other)
            if slope in (_ONE, -_ONE) and factor:
                found = one, other, -factor if slope == _ONE else factor
                if found not in seen:
                    seen.add(found)
                    yield found
                break


def _affines(term: Term) -> Iterator[Affine]:
    yield from (g.affine for g in term.guards if isinstance(g, AffineGuard))
    for node in (node for factor in term.factors for node in nodes(factor)):
        if isinstance(node, Read):
            yield from (index for index in node.indices if isinstance(index, Affine))
        elif isinstance(node, Index):
            yield node.affine
