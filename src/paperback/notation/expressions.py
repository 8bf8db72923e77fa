"""Parsing expressions: by precedence, written by hand because its error messages are the product.

    expr       = [ "-" ] product { ( "+" | "-" ) product }
    product    = power { ( "*" | "/" ) power } [ ( "*" | "/" ) reduction ] | reduction
    reduction  = OP "(" binder { "," binder } [ "|" cond ] ")" product
    power      = primary [ "^" exponent ]
    primary    = NUMBER | NAME | NAME "[" indices "]" | FUNC "(" expr { "," expr } ")" | "[" cond "]" | "(" expr ")"

Indices and sizes are parsed as expressions too; what an expression means is decided where names are known.
"""

from __future__ import annotations

__all__ = ["KINDS", "RELATIONS", "ExpressionParser", "UnreadableError"]

from fractions import Fraction

from paperback.errors import Problem
from paperback.notation.habits import LOGIC, side_by_side
from paperback.notation.syntax import (
    BinderSyntax,
    BracketSyntax,
    CallSyntax,
    Chain,
    Condition,
    Divisibility,
    NameSyntax,
    NumberSyntax,
    PowerSyntax,
    ProductSyntax,
    ReadSyntax,
    ReductionSyntax,
    SumSyntax,
    Syntax,
    mentions,
)  # fmt: skip
from paperback.notation.tokens import Token
from paperback.notation.words import FUNCTIONS, KEYWORDS, REDUCERS, RESERVED

RELATIONS = ("<", "<=", ">", ">=", "==", "!=")
MAX_DEPTH = 50
KINDS = ("int", "scalar", "function", "increasing", "size")


class UnreadableError(Exception):
    """One problem; caught where the parser or the elaboration can go on."""

    def __init__(self, message: str, start: int | None, end: int | None, hint: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(message, start, end, hint)


class ExpressionParser:
    """A place in a list of tokens, and the grammar of expressions from there on."""

    def __init__(self, source: str, tokens: list[Token]) -> None:
        self.source, self.tokens, self.place = source, tokens, 0
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.depth = 0

    # ------------------------------------------------------------------------------------------------ tokens

    @property
    def here(self) -> Token:
        return self.tokens[self.place]

    @property
    def next(self) -> Token:
        return self.tokens[min(self.place + 1, len(self.tokens) - 1)]

    @property
    def last_end(self) -> int:
        return self.tokens[self.place - 1].end

    def take(self) -> Token:
        token = self.here
        self.place += token.kind != "end"
        return token

    def at(self, *texts: str) -> bool:
        return self.here.kind in ("op", "name") and self.here.text in texts

    def wrong(self, message: str, hint: str = "", token: Token | None = None) -> UnreadableError:
        token = token or self.here
        return UnreadableError(message, token.start, max(token.end, token.start + 1), hint)

    @property
    def found(self) -> str:
        return "the text ends" if self.here.kind == "end" else f"found {self.shown}"

    @property
    def shown(self) -> str:
        return {"end": "the end", "sep": "a new statement"}.get(self.here.kind, self.here.text)

    def expect(self, text: str, why: str) -> Token:
        if not self.at(text):
            raise self.wrong(f"{text} is needed {why}, {self.found}")
        return self.take()

    def name(self, what: str) -> Token:
        if self.here.kind != "name":
            raise self.wrong(f"{what} is needed here, {self.found}")
        if self.here.text in RESERVED:
            raise self.wrong(f"{self.here.text} is a reserved word and cannot be {what}", "choose another name")
        return self.take()

    def unexpected(self) -> UnreadableError:
        token = self.here
        if token.text == "=":
            return self.wrong("a statement has one =", "compare with ==, inside a bracket: [i == j]")
        if token.text in RELATIONS:
            return self.wrong("a comparison stands in a bracket", "write [a < b], which is 1 or 0")
        if token.kind == "name" and token.text in ("pads", "int", "scalar"):
            return self.wrong(f"{token.text} belongs in a where clause", f"write `where NAME {token.text}`")
        return self.wrong(f"{self.shown} is not expected here")

    # ------------------------------------------------------------------------------------------- expressions

    def expr(self) -> Syntax:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.wrong(
                f"more than {MAX_DEPTH} parentheses inside each other", "name a part in a statement of its own"
            )
        try:
            return self.sum()
        finally:
            self.depth -= 1

    def sum(self) -> Syntax:
        start = self.here.start
        sign = self.take().text if self.at("-") else "+"
        terms = [(sign, self.product())]
        while self.at("+", "-"):
            sign = self.take().text
            terms.append((sign, self.product()))
        if len(terms) == 1 and terms[0][0] == "+":
            return terms[0][1]
        return SumSyntax(start, self.last_end, tuple(terms))

    def product(self) -> Syntax:
        start = self.here.start
        if self.at_reduction():
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise self.wrong(f"more than {MAX_DEPTH} reducers inside each other")
            found = self.reduction()
            self.depth -= 1
            return found
        factors = [("*", self.power())]
        while self.at("*", "/"):
            operator = self.take().text
            if self.at("-"):
                raise self.wrong(f"a negative factor needs parentheses after {operator}", f"write {operator} (-...)")
            if self.at_reduction():
                reduction = self.reduction()
                if operator == "/":
                    self.check_reach(reduction)
                factors.append((operator, reduction))
                break
            factors.append((operator, self.power()))
        if (self.here.kind in ("number", "name") and not self.at(*KEYWORDS)) or self.at("(", "["):
            raise UnreadableError(*side_by_side(self.source, self.tokens, self.place, factors[-1][1]))
        return factors[0][1] if len(factors) == 1 else ProductSyntax(start, self.last_end, tuple(factors))

    def check_reach(self, reduction: ReductionSyntax) -> None:
        """After `/`, a reducer takes the whole product that follows: say so where that is hardly meant."""
        body = reduction.body
        factors = [factor for _, factor in body.factors] if isinstance(body, ProductSyntax) else [body]
        bound = frozenset(b.name for b in reduction.binders)
        for factor in factors:
            if not mentions(factor, bound):
                head = self.source[reduction.start : reduction.head_end]
                upto = self.source[reduction.head_end : factor.start].rstrip(" */")
                raise UnreadableError(
                    f"{self.source[factor.start : factor.end]} would be divided by, inside the {reduction.op}",
                    factor.start,
                    factor.end,
                    f"write ({head}{upto}) to end the {reduction.op} before it, or put the product in parentheses",
                )

    def power(self) -> Syntax:
        start = self.here.start
        base = self.primary()
        if not self.at("^"):
            return base
        self.take()
        bracketed = self.at("(")
        if bracketed:
            self.take()
        sign = -1 if self.at("-") else 1
        if sign < 0:
            self.take()
        exponent = sign * self.integer("an exponent")
        if bracketed and self.at("/"):
            self.take()
            divisor = self.integer("an exponent's denominator")
            if not divisor:
                raise self.wrong("an exponent's denominator is not 0", token=self.tokens[self.place - 1])
            exponent /= divisor
        if bracketed:
            self.expect(")", "after an exponent")
        elif exponent == 1 and self.at("/") and self.next.kind == "number":
            base_text, low = self.source[start : base.end], self.next.text
            self.warnings.append(f"{base_text}^1/{low} is ({base_text}^1)/{low}; a root is {base_text}^(1/{low})")
        if self.at("^"):
            raise self.wrong("a power of a power needs parentheses", "write (x^2)^3")
        return PowerSyntax(start, self.last_end, base, exponent)

    def integer(self, what: str) -> Fraction:
        if self.here.kind != "number" or not self.here.text.isdigit():
            hint = "a root is x^(1/2); with a scalar t write exp(t*log(x))"
            raise self.wrong(f"{what} is a whole number, {self.found}", hint)
        return Fraction(self.take().text)

    def primary(self) -> Syntax:
        token = self.here
        if token.kind == "number":
            self.take()
            return NumberSyntax(token.start, token.end, Fraction(token.text))
        if self.at("("):
            self.take()
            inner = self.expr()
            if not self.at(")"):
                raise self.unexpected() if self.at(*RELATIONS) else self.wrong(f") is needed here, {self.found}")
            self.take()
            return inner
        if self.at("["):
            self.take()
            condition = self.condition()
            self.expect("]", "after a condition")
            return BracketSyntax(token.start, self.last_end, condition)
        if token.kind == "name" and token.text not in KEYWORDS:
            return self.named()
        hint = "put a negative factor in parentheses: (-x)" if token.text == "-" else ""
        if token.text == "*" and self.tokens[self.place - 1].text == "*":
            raise self.wrong("** is no operator", "a power is written x^2", self.tokens[self.place - 1])
        raise self.wrong(f"a value is missing here, {self.found}", hint)

    def named(self) -> Syntax:
        token = self.take()
        if token.text == "δ" and self.at("(", "["):
            return self.kronecker(token)
        if self.at("["):
            if token.text in RESERVED:
                raise self.wrong(
                    f"{token.text} is a reserved word and cannot be a tensor", "choose another name", token
                )
            indices = self.indices("an index")
            return ReadSyntax(token.start, self.last_end, token.text, tuple(indices), token.end)
        if self.at("("):
            if token.text in LOGIC:
                raise self.wrong(f"{token.text} is no word of the notation", LOGIC[token.text], token)
            return self.call(token)
        if token.text in RESERVED:
            if token.text in REDUCERS and token.text not in FUNCTIONS:
                hint = f"write {token.text}(i) and the product after it"
                raise self.wrong(f"{token.text} needs the indices that it binds", hint, token)
            raise self.wrong(f"{token.text} needs its arguments", f"write {token.text}(...)", token)
        return NameSyntax(token.start, token.end, token.text)

    def call(self, token: Token) -> Syntax:
        self.take()
        arguments = [self.expr()]
        while self.at(","):
            self.take()
            arguments.append(self.expr())
        self.expect(")", f"after the arguments of {token.text}")
        self.check_arity(token, arguments)
        return CallSyntax(token.start, self.last_end, token.text, tuple(arguments), token.end)

    def check_arity(self, token: Token, arguments: list[Syntax]) -> None:
        needed = FUNCTIONS.get(token.text, len(arguments))
        if len(arguments) == needed:
            return
        hint = f"over an index write {token.text}(i) x[i]" if token.text in REDUCERS else ""
        if token.text in REDUCERS and self.at("-") and all(isinstance(a, NameSyntax) for a in arguments):
            head = self.source[token.start : self.last_end]
            start = self.take().start
            self.product()
            hint = f"write `{head} ({self.source[start : self.last_end]})`"
        plural = "s" if needed > 1 else ""
        raise self.wrong(f"{token.text} takes {needed} argument{plural}, found {len(arguments)}", hint, token)

    def kronecker(self, token: Token) -> Syntax:
        closing = {"(": ")", "[": "]"}[self.take().text]
        left = self.expr()
        self.expect(",", "between the two indices of δ")
        right = self.expr()
        self.expect(closing, "after the two indices of δ")
        chain = Chain(left.start, right.end, (left, right), ("==",))
        return BracketSyntax(token.start, self.last_end, (chain,))

    def indices(self, what: str) -> list[Syntax]:
        self.expect("[", "before indices")
        found: list[Syntax] = []
        while not self.at("]"):
            found.append(self.expr())
            if not self.at(","):
                break
            self.take()
            if self.at("]"):
                raise self.wrong(f"{what} is missing after the comma")
        if not self.at("]"):
            if self.at(":"):
                raise self.wrong("slices are not part of the notation", "name the index: x[i]")
            raise self.wrong(f"] is needed after the indices, {self.found}")
        self.take()
        return found

    # ----------------------------------------------------------------------------------- reducers, conditions

    def at_reduction(self) -> bool:
        """A reducer name, binders in parentheses and then NUMBER, NAME, `(` or `[`; otherwise it is a call."""
        if not (self.here.kind == "name" and self.here.text in REDUCERS and self.next.text == "("):
            return False
        if self.here.text not in FUNCTIONS:
            return True
        depth, place, bar = 0, self.place + 1, False
        while self.tokens[place].kind != "end":
            text = self.tokens[place].text
            depth += (text in ("(", "[")) - (text in (")", "]"))
            bar = bar or (depth == 1 and text == "|")
            if not depth:
                break
            if depth == 1 and text in ("(", ","):
                named = self.tokens[place + 1].kind == "name" and self.tokens[place + 1].text not in RESERVED
                if not bar and not (named and self.tokens[place + 2].text in ("<", ",", ")", "|")):
                    return False
            place += 1
        after = self.tokens[min(place + 1, len(self.tokens) - 1)]
        if bar or any(t.text == "<" for t in self.tokens[self.place : place]):
            return True
        return (after.kind in ("number", "name") and after.text not in KEYWORDS) or after.text in ("(", "[")

    def reduction(self) -> ReductionSyntax:
        op = self.take()
        self.take()
        binders = [self.binder(op)]
        while self.at(","):
            self.take()
            binders.append(self.binder(op))
        condition: Condition = ()
        if self.at("|"):
            self.take()
            condition = self.condition()
        if not self.at(")"):
            hint = f"write {op.text}(i) and the product after it" if self.at("[", "*", "+", "-", "/") else ""
            raise self.wrong(f"{op.text} binds names of indices, {self.found}", hint)
        head_end = self.take().end
        head = self.source[op.start : head_end]
        if self.at("-"):
            start = self.take().start
            self.product()
            hint = f"write `{head} ({self.source[start : self.last_end]})`"
            raise UnreadableError(f"{head} takes the product after it, found -", start, start + 1, hint)
        if (self.here.kind not in ("number", "name") and not self.at("(", "[")) or self.at(*KEYWORDS):
            raise self.wrong(f"{head} takes the product after it, {self.found}", f"write {head} x[...]")
        body = self.product()
        return ReductionSyntax(op.start, self.last_end, op.text, tuple(binders), condition, body, head_end)

    def binder(self, op: Token) -> BinderSyntax:
        if self.here.kind == "name" and self.next.text == "=":
            hint = f"write {self.here.text}<n: indices start at 0"
            raise self.wrong(f"{op.text} binds an index by its name and extent", hint, self.next)
        name = self.name(f"an index of {op.text}")
        extent = None
        if self.at("<"):
            self.take()
            extent = self.expr()
        return BinderSyntax(name.start, self.last_end, name.text, extent, name.end)

    def condition(self) -> Condition:
        atoms = [self.atom()]
        while self.at("and"):
            self.take()
            atoms.append(self.atom())
        return tuple(atoms)

    def atom(self) -> Chain | Divisibility:
        start = self.here
        parts = [self.expr()]
        if self.at("|"):
            self.take()
            index = self.expr()
            return Divisibility(start.start, self.last_end, parts[0], index)
        relations = []
        while self.at(*RELATIONS):
            relations.append(self.take().text)
            parts.append(self.expr())
        if not relations:
            hint = "compare with ==" if self.at("=") else "write for example [i < n], or [x[i] > 0]"
            raise self.wrong(f"a condition needs a comparison, {self.found}", hint)
        return Chain(start.start, self.last_end, tuple(parts), tuple(relations))
