"""Values: expressions of syntax -> nodes of the tree, in the scope of one statement.

A name in value position is an index in scope, else a declared size, else an earlier statement without axes, else a
scalar, else pi, else an error. A condition that is affine on both sides is an index guard, any other compares data.
`exp(g) / sum(k) exp(f)` is exp(g - logsumexp(k) f), its log is g - logsumexp(k) f, and `log(sum(k) exp(f))` is
logsumexp(k) f.

Extents are not known here: every binder gets a hole `?7`, the name of its letter's number, filled by `infer`.
"""

from __future__ import annotations

__all__ = ["Span", "ValueReader", "hole"]

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction

from paperback.errors import Problem
from paperback.notation.declare import Names
from paperback.notation.exponentials import logarithm, softmax
from paperback.notation.expr import (
    ONE,
    ZERO,
    Affine,
    AffineGuard,
    Binder,
    Bracket,
    Call,
    Compare,
    Const,
    Divides,
    Guard,
    IndexExpr,
    Letter,
    Mul,
    Node,
    Pow,
    Quotient,
    Read,
    Reduce,
    Scalar,
    Size,
    add,
    as_affine,
    bracket,
    const,
    index_value,
    mul,
    power,
)
from paperback.notation.expressions import UnreadableError
from paperback.notation.habits import ELSEWHERE
from paperback.notation.indices import Scope
from paperback.notation.syntax import (
    BoundClause,
    BracketSyntax,
    CallSyntax,
    Chain,
    Condition,
    NameSyntax,
    NumberSyntax,
    PadsClause,
    PowerSyntax,
    ProductSyntax,
    ReadSyntax,
    ReductionSyntax,
    StatementSyntax,
    SumSyntax,
    Syntax,
)  # fmt: skip
from paperback.notation.walk import reads, with_sizes
from paperback.notation.words import FUNCTIONS, REDUCERS, ROUNDINGS, is_derivative

MINUS_ONE = const(-1)
Span = tuple[int, int, int]  # start of the name, end of the name, end of all of it


def hole(letter: Letter) -> Size:
    """The unknown extent of a letter."""
    return Size.of(f"?{letter.uid}")


@dataclass
class ValueReader:
    """What is known about a formula so far, and the scope of the statement that is being read.

    targets    number of axes of every statement's target
    computed   the targets above, with their values
    ranks      number of axes of the inputs, in order of first use
    failed     the targets above whose statements have problems
    """

    names: Names
    targets: dict[str, int]
    updates: bool = False
    computed: dict[str, Node] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    used_scalars: dict[str, None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)

    def open(self, syntax: StatementSyntax) -> None:
        """Begin a statement: nothing is in scope."""
        self.target = syntax.target
        self.scope = Scope(self.names, syntax)
        self.fixed: dict[Letter, Size] = {}
        self.spans: dict[Letter | Read, Span] = {}
        self.pads = {c.name: c.value for c in syntax.clauses if isinstance(c, PadsClause)}
        self.bounds = {c.name: c for c in syntax.clauses if isinstance(c, BoundClause)}
        self.bound_names: set[str] = set()

    def fail(self, error: UnreadableError) -> None:
        if all(problem.message != error.problem.message for problem in self.problems):  # each once
            self.problems.append(error.problem)

    def complain(self, message: str, start: int, end: int, hint: str = "") -> None:
        self.fail(UnreadableError(message, start, end, hint))

    def bind(self, name: str, start: int, end: int) -> Letter:
        """A fresh letter for a name, with the extent that a where clause gives it."""
        kind = "tensor" if name in self.targets or name in self.ranks else self.names.kind(name)
        if kind == "scalar" and name not in self.names.scalars | self.used_scalars:
            kind = ""  # offered by the caller, and not taken up
        if name in self.scope.letters:
            hint = "a reducer inside another, or inside a statement with this left index, needs another name"
            raise UnreadableError(f"the index {name} is bound already", start, end, hint)
        elif kind:
            hint = "tensors, indices, sizes and scalars share one namespace: choose another name"
            raise UnreadableError(f"{name} is a {kind} and cannot be an index too", start, end, hint)
        letter = Letter.fresh(name)
        self.scope.letters[name] = letter
        self.spans[letter] = (start, end, end)
        self.bound_names.add(name)
        if name in self.bounds:
            self.fix(letter, self.bounds[name].extent)
        return letter

    def fix(self, letter: Letter, extent: Syntax) -> None:
        try:
            self.fixed[letter] = self.names.size(extent)
        except UnreadableError as error:
            self.fail(error)

    # ----------------------------------------------------------------------------------------------- values

    def value(self, syntax: Syntax) -> Node:
        """A value; a problem in it is collected and a number stands in."""
        try:
            return self.strict_value(syntax)
        except UnreadableError as error:
            self.fail(error)
            return ONE

    def strict_value(self, syntax: Syntax) -> Node:
        match syntax:
            case NumberSyntax():
                return const(syntax.value)
            case NameSyntax():
                return self.name(syntax)
            case ReadSyntax():
                return self.read(syntax)
            case CallSyntax():
                return self.call(syntax)
            case SumSyntax():
                terms = [(sign, self.value(term)) for sign, term in syntax.terms]
                return add(*(_product(MINUS_ONE, term) if sign == "-" else term for sign, term in terms))
            case ProductSyntax():
                return self.product(syntax)
            case PowerSyntax():
                base = self.value(syntax.base)
                if syntax.exponent < 0:
                    self.check_divisor(base, syntax.base)
                return _kept(power(base, syntax.exponent), Pow(base, syntax.exponent))
            case ReductionSyntax():
                return self.reduction(syntax)
            case BracketSyntax():
                return bracket(*self.condition(syntax.condition))
        raise UnreadableError("this is no value", syntax.start, syntax.end)

    def product(self, syntax: ProductSyntax) -> Node:
        factors = []
        for operator, factor in syntax.factors:
            value = self.value(factor)
            if operator == "/":
                self.check_divisor(value, factor)
                value = _kept(power(value, -1), Pow(value, Fraction(-1)))
            factors.append(value)
        return softmax(_product(*factors))

    def check_divisor(self, value: Node, syntax: Syntax) -> None:
        if with_sizes(value, {}) is ZERO:
            self.complain("division by zero", syntax.start, syntax.end)
        factors = value.factors if isinstance(value, Mul) else (value,)
        if any(isinstance(factor, Bracket) for factor in factors):
            hint = "0 wins over everything, so a bracket multiplies: write it as a factor"
            self.complain("division by a bracket", syntax.start, syntax.end, hint)

    def name(self, syntax: NameSyntax) -> Node:
        name, names = syntax.name, self.names
        if name in self.scope.letters:
            return index_value(Affine.of(self.scope.letters[name]))
        if name in names.sizes:
            return index_value(Affine.of(names.sizes[name]))
        if self.is_single(name):
            return self.read(ReadSyntax(syntax.start, syntax.end, name, (), syntax.end))
        if name in names.scalars or name in names.offered:
            self.used_scalars[name] = None
            return Scalar(name)
        if name == "pi":
            return Scalar(name)
        kind = "tensor" if name in self.targets or name in self.ranks else names.kind(name)
        if kind:
            write = f"write {name}(...)" if kind == "function" else f"write its indices: {name}[...]"
            raise UnreadableError(f"{name} is a {kind}, not a value", syntax.start, syntax.end, write)
        raise UnreadableError(f"{name} is not declared", syntax.start, syntax.end, self.stranger(name))

    def is_single(self, name: str) -> bool:
        """Is it a tensor without axes, which may be read without brackets?"""
        free = name not in self.scope.letters and name not in self.names.sizes
        return free and (self.targets.get(name) == 0 or self.names.axes.get(name) == ())

    def stranger(self, name: str) -> str:
        if self.scope.hint(name).endswith("belongs to"):
            return self.scope.hint(name)
        known = [*self.scope.letters, *self.names.sizes, *self.names.scalars, *self.names.offered, *self.computed]
        near = get_close_matches(name, known, 1)
        if near:
            return f"did you mean {near[0]}?"
        if re.fullmatch(r"[^\W_]_[^\W_]", name):  # as in LaTeX, where nothing else shows that it is
            return f"LaTeX stands between dollars, $...$; here an index stands in brackets: {name.replace('_', '[')}]"
        if re.fullmatch(r"[A-Z]", name):
            return f"a size is named by an axis that has it: `where x: {name}`; a scalar input by `where {name} scalar`"
        return f"a scalar input is declared by `where {name} scalar`, a tensor is read with its indices: {name}[i]"

    def call(self, syntax: CallSyntax) -> Node:
        function = syntax.function
        if function in ROUNDINGS:
            return index_value(self.scope.affine(syntax))
        if is_derivative(function, self.names.functions):
            self.names.functions.setdefault(function, False)
        if function not in FUNCTIONS and function not in self.names.functions:
            kind = "tensor" if function in (*self.targets, *self.ranks) else self.names.kind(function)
            near = get_close_matches(function, [*FUNCTIONS, *REDUCERS, *self.names.functions], 1)
            hint = f"did you mean {near[0]}?" if near else f"declare an unknown one: where {function} function"
            hint = ELSEWHERE.get(function, hint)
            if kind == "tensor":
                hint = f"read a tensor with brackets: {function}[...]"
            elif kind or function in self.scope.letters:
                hint = "write * for a product"
            what = f"is a {kind}, not a function" if kind else "is no function"
            raise UnreadableError(f"{function} {what}", syntax.start, syntax.name_end, hint)
        arguments = tuple(self.value(argument) for argument in syntax.arguments)
        if function == "sqrt":
            return power(arguments[0], Fraction(1, 2))
        if function == "log":
            found = logarithm(syntax.arguments[0], arguments[0])
            if found is not None:
                return found
        return Call(function, arguments)

    # ------------------------------------------------------------------------------------- reads, reductions

    def read(self, syntax: ReadSyntax) -> Node:
        tensor, start, end = syntax.tensor, syntax.start, syntax.name_end
        kind = self.names.kind(tensor)
        if tensor in self.scope.letters:
            raise UnreadableError(f"{tensor} is an index, not a tensor", start, end, "choose another name")
        if kind in ("size", "scalar", "function"):
            hint = f"write {tensor}(...)" if kind == "function" else "choose another name"
            raise UnreadableError(f"{tensor} is a {kind}, not a tensor", start, end, hint)
        self.check_order(tensor, start, end)
        indices = tuple(self.index(index) for index in syntax.indices)
        self.check_rank(tensor, len(indices), start, end)
        bare = all(isinstance(index, Affine) and index.bare for index in indices)
        node = Read(tensor, indices, None if bare else self.pads.get(tensor))
        self.spans.setdefault(node, (start, end, syntax.end))
        return node

    def check_order(self, tensor: str, start: int, end: int) -> None:
        if tensor not in self.targets or tensor in self.computed or self.updates:
            return
        if tensor == self.target:
            hint = "recurrences are not part of the notation; name the old value differently"
            self.complain(f"{tensor} is read by the statement that computes it", start, end, hint)
        else:
            self.complain(f"{tensor} is computed only further down", start, end, "put its statement first")

    def check_rank(self, tensor: str, found: int, start: int, end: int) -> None:
        declared = self.names.axes.get(tensor)
        if tensor in self.computed or (tensor in self.targets and declared is None):
            needed = self.targets[tensor]
            old = self.updates and (tensor not in self.computed)
        else:
            needed = len(declared) if declared is not None else self.ranks.get(tensor, found)
            old = True
        if old or (self.updates and declared is not None):
            self.ranks.setdefault(tensor, needed)
        if found != needed:
            plural = "index" if found == 1 else "indices"
            axes = f" ({' '.join(map(str, declared))})" if declared else ""
            told = f"{needed} axis" if needed == 1 else f"{needed or 'no'} axes"
            raise UnreadableError(f"{tensor} has {told}{axes}, but is read with {found} {plural}", start, end)

    def index(self, syntax: Syntax) -> IndexExpr:
        """One index of a read: affine, a read of an int tensor, or a quotient."""
        if isinstance(syntax, NameSyntax) and self.is_single(syntax.name):
            syntax = ReadSyntax(syntax.start, syntax.end, syntax.name, (), syntax.end)
        if not isinstance(syntax, ReadSyntax):
            try:
                found = self.scope.index(syntax)
            except UnreadableError as error:
                self.fail(error)
                return Affine()
            return found.affine if isinstance(found, Quotient) and found.divisor == Size.of(1) else found
        inner = self.strict_value(syntax)
        assert isinstance(inner, Read)
        selected = self.computed.get(inner.tensor)
        whole = inner.tensor in self.names.integers or getattr(selected, "op", "") in ("argmax", "argmin")
        whole = whole or inner.tensor in self.failed
        if not whole:
            computed = inner.tensor in self.computed
            hint = "only an argmax computes integers" if computed else f"declare it: where {inner.tensor} int"
            message = f"{inner.tensor} is read as an index but does not hold integers"
            raise UnreadableError(message, syntax.start, syntax.name_end, hint)
        return inner

    def reduction(self, syntax: ReductionSyntax) -> Node:
        outer = dict(self.scope.letters)
        letters = []
        for binder in syntax.binders:
            letter = self.bind(binder.name, binder.start, binder.name_end)
            letters.append(letter)
            if binder.extent is not None:
                self.fix(letter, binder.extent)
        guards = self.condition(syntax.condition)
        body = self.value(syntax.body)
        self.scope.letters = outer
        return Reduce(syntax.op, tuple(Binder(letter, hole(letter)) for letter in letters), guards, body)

    def condition(self, condition: Condition) -> tuple[Guard, ...]:
        guards: list[Guard] = []
        for atom in condition:
            try:
                if isinstance(atom, Chain):
                    for place, relation in enumerate(atom.relations):  # the middle is read twice: binders are unique
                        left, right = self.value(atom.parts[place]), self.value(atom.parts[place + 1])
                        guards.append(_guard(left, relation, right))
                else:
                    modulus = self.scope.affine(atom.modulus)
                    if not modulus.is_size or not modulus.const:
                        where = atom.modulus
                        raise UnreadableError("only a size divides: [s | t-p]", where.start, where.end)
                    guards.append(Divides(modulus.const, self.scope.affine(atom.index)))
            except UnreadableError as error:
                self.fail(error)
        return tuple(guards)


def _guard(left: Node, relation: str, right: Node) -> Guard:
    """`left relation right`: affine where both sides are, otherwise a comparison of data."""
    a, b = as_affine(left), as_affine(right)
    if a is None or b is None:
        return Compare(relation, left, right)
    match relation:
        case "<":
            return AffineGuard(">=", b - a - 1)
        case "<=":
            return AffineGuard(">=", b - a)
        case ">":
            return AffineGuard(">=", a - b - 1)
        case ">=":
            return AffineGuard(">=", a - b)
    return AffineGuard(relation, a - b)


def _product(*factors: Node) -> Node:
    return _kept(mul(*factors), Mul(factors))


def _kept(folded: Node, whole: Node) -> Node:
    """`0*x[i]` and `x[i]^0` are numbers, but x has axes: they stay whole until the extents are known."""
    return whole if isinstance(folded, Const) and next(reads(whole), None) else folded
