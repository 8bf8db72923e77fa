"""Random blocks made with the constructors of the tree, not from text: the printer must cope with any of them.

Letters run over sizes H, W, P (names) or 3. Plain tensors are read with bare letters of the right extents, `z` (axis H)
and `u` (axes W 3) are padded and read anywhere, `l` (axis H) holds integers and selects rows of `e`.
"""

from __future__ import annotations

import random
from fractions import Fraction

from paperback.notation.block import Block
from paperback.notation.expr import (
    Affine,
    AffineGuard,
    Binder,
    Bracket,
    Call,
    Compare,
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
    Statement,
    Tensor,
    add,
    as_affine,
    const,
    index_value,
    mul,
    power,
)
from paperback.notation.walk import nodes

SIZES = (Size.of("H"), Size.of("W"), Size.of("P"), Size.of(3))
NUMBERS = ("2", "3", "-1", "-2", "1/2", "-1/3", "7/4", "0.044715", "1e-5", "-0.25", "10")
EXPONENTS = (2, 3, -1, -2, Fraction(1, 2), Fraction(-1, 2), Fraction(2, 3), Fraction(-3, 2))
PADS = {"z": Fraction(0), "u": float("-inf")}


class Maker:
    """Makes one block from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.inputs: dict[str, Tensor] = {}
        self.scalars: list[str] = []
        self.functions: dict[str, bool] = {}
        self.done: list[Statement] = []
        self.scope: list[Binder] = []

    def block(self) -> Block:
        count = self.random.choice((1, 1, 1, 2, 3))
        for number in range(count):
            self.statement(f"y{number}")
        return Block(tuple(self.done), self.inputs, tuple(self.scalars), self.functions)

    def statement(self, target: str) -> None:
        if self.random.random() < 0.1:
            self.done.append(self.affine_left(target))
            return
        self.scope = [self.binder() for _ in range(self.random.randrange(4))]
        binders = tuple(self.scope)
        expr = self.node(self.random.choice((2, 3, 4, 5)))
        self.done.append(Statement.plain(target, binders, expr))

    def affine_left(self, target: str) -> Statement:
        """A flatten, which is a bijection, or a left side that leaves gaps."""
        i, j = (Binder(Letter.fresh(name), self.random.choice(SIZES)) for name in "ij")
        self.scope = [i, j]
        value = self.give(f"t{i.extent}{j.extent}", (i.extent, j.extent), (Affine.of(i.letter), Affine.of(j.letter)))
        if self.random.random() < 0.5:
            left = Affine.of(i.letter) * j.extent + j.letter
            return Statement(target, (left,), (i, j), value, (i.extent * j.extent,))
        left, step = Affine.of(i.letter) * 2 + 1, self.random.choice((0, 1))
        axes = (i.extent * 2 + step, j.extent)
        return Statement(target, (left, Affine.of(j.letter)), (i, j), value, axes, Fraction(0))

    def phase(self) -> Node:
        """A read at a quotient, under its divisibility."""
        modulus, affine = self.random.choice((Size.of(2), Size.of("s"))), self.affine()
        self.inputs.setdefault("z", Tensor("z", (SIZES[0],)))
        return mul(Bracket((Divides(modulus, affine),)), Read("z", (Quotient(affine, modulus),), PADS["z"]))

    def binder(self) -> Binder:
        return Binder(Letter.fresh(self.random.choice("ijkpq")), self.random.choice(SIZES))

    # ------------------------------------------------------------------------------------------------- nodes

    def node(self, depth: int) -> Node:
        if depth <= 0 or self.random.random() < 0.15:
            return self.leaf()
        kind = self.random.choice(
            ("add", "add", "mul", "mul", "mul", "power", "call", "reduce", "reduce", "bracket", "phase")
        )
        match kind:
            case "add":
                return add(*(self.node(depth - 1) for _ in range(self.random.choice((2, 2, 3)))))
            case "mul":
                return mul(*(self.node(depth - 1) for _ in range(self.random.choice((2, 2, 3)))))
            case "power":
                base, exponent = self.node(depth - 1), self.random.choice(EXPONENTS)
                if exponent < 0 and (base == const(0) or _has_bracket(base)):
                    return base
                return power(base, exponent)
            case "call":
                return self.call(depth)
            case "reduce":
                return self.reduce(depth)
            case "phase":
                return self.phase()
        return Bracket(self.guards(depth))

    def leaf(self) -> Node:
        pick = self.random.random()
        if pick < 0.15:
            return const(Fraction(self.random.choice(NUMBERS)))
        if pick < 0.25:
            name = self.random.choice(("lr", "eps", "pi"))
            if name != "pi" and name not in self.scalars:
                self.scalars.append(name)
            return Scalar(name)
        if pick < 0.4:
            return index_value(self.affine())
        return self.read()

    def call(self, depth: int) -> Node:
        function = self.random.choice(("exp", "tanh", "relu", "log", "max", "phi", "phi'"))
        if function.startswith("phi"):
            self.functions[function] = function == "phi"
        arguments = tuple(self.node(depth - 1) for _ in range(2 if function == "max" else 1))
        if function == "log" and isinstance(arguments[0], Reduce):
            function = "exp"
        return Call(function, arguments)

    def reduce(self, depth: int) -> Node:
        op = self.random.choice(("sum", "sum", "sum", "max", "min", "logsumexp", "argmax"))
        binders = tuple(self.binder() for _ in range(self.random.choice((1, 1, 2))))
        self.scope += binders
        guards = self.guards(depth) if self.random.random() < 0.3 else ()
        body = self.node(depth - 1)
        del self.scope[-len(binders) :]
        if op == "sum" and isinstance(body, Call) and body.function == "exp":
            op = "max"  # a sum of exponentials would be read as a logsumexp
        return Reduce(op, binders, guards, body)

    # --------------------------------------------------------------------------------------- reads and guards

    def affine(self) -> Affine:
        total = Affine()
        for binder in self.random.sample(self.scope, min(len(self.scope), self.random.randrange(3))):
            slope = self.random.choice((Size.of(1), Size.of(1), Size.of(-1), Size.of(2), Size.of("s"), Size.of(-3)))
            total = total + Affine.of(binder.letter) * slope
        offsets = (Size.of(0), Size.of(1), Size.of(-1), Size.of("P") - 1, Size.of("H") * Size.of("W"), -Size.of("P"))
        return total + self.random.choice(offsets)

    def read(self) -> Node:
        pick = self.random.random()
        if pick < 0.2:
            return self.give("z", (SIZES[0],), (self.affine(),))
        if pick < 0.3:
            return self.give("u", (SIZES[1], SIZES[3]), (self.affine(), self.affine()))
        rows = [b for b in self.scope if b.extent == SIZES[0]]
        if pick < 0.4 and rows:
            index = self.give("l", (SIZES[0],), (Affine.of(self.random.choice(rows).letter),), integer=True)
            assert isinstance(index, Read)
            return self.give("e", (Size.of("V"),), (index,))
        if pick < 0.5 and self.done:
            earlier = self.random.choice(self.done)
            chosen = [[b for b in self.scope if b.extent == axis] for axis in earlier.axes]
            if all(chosen):
                return Read(earlier.target, tuple(Affine.of(self.random.choice(c).letter) for c in chosen), None)
        binders = self.random.sample(self.scope, min(len(self.scope), self.random.randrange(4)))
        name = "t" + "".join(str(b.extent) for b in binders)
        return self.give(name, tuple(b.extent for b in binders), tuple(Affine.of(b.letter) for b in binders))

    def give(self, name: str, axes: tuple[Size, ...], indices: tuple[IndexExpr, ...], integer: bool = False) -> Node:
        self.inputs.setdefault(name, Tensor(name, axes, integer))
        bare = all(
            isinstance(i, Affine) and i.bare and self.extent(i.bare) == a for i, a in zip(indices, axes, strict=True)
        )
        if not bare and any(isinstance(i, Affine) and i.bare for i in indices):
            indices = tuple(i + 1 if isinstance(i, Affine) and i.bare else i for i in indices)
        return Read(name, indices, None if bare else PADS.get(name))

    def extent(self, letter: Letter) -> Size:
        return next(b.extent for b in self.scope if b.letter == letter)

    def guards(self, depth: int) -> tuple[Guard, ...]:
        return tuple(g for _ in range(self.random.choice((1, 1, 2))) for g in self.guard(depth))

    def guard(self, depth: int) -> list[Guard]:
        pick, affine = self.random.random(), self.affine()
        if pick < 0.3:
            return [AffineGuard(self.random.choice((">=", "==", "!=")), affine)]
        if pick < 0.6:
            return [AffineGuard(">=", affine), AffineGuard(">=", Affine.of(Size.of("P") - 1) - affine)]
        if pick < 0.7:
            return [Divides(self.random.choice((Size.of(2), Size.of("s"))), affine)]
        left, right = self.node(depth - 2), self.node(depth - 2)
        if as_affine(left) is not None and as_affine(right) is not None:
            left = self.read()
        return [Compare(self.random.choice(("<", "<=", ">", ">=", "==", "!=")), left, right)]


def _has_bracket(node: Node) -> bool:
    return isinstance(node, Bracket) or (isinstance(node, Mul) and any(isinstance(f, Bracket) for f in node.factors))


def is_readable(block: Block) -> bool:
    """Can text mean it? A softmax, exp(g)/sum(k) exp(f), is read as what it is."""
    products = [n for s in block.statements for n in nodes(s.expr) if isinstance(n, Mul)]
    return not any(
        isinstance(factor, Pow) and isinstance(factor.base, Reduce) and factor.base.op == "sum"
        for product in products
        if any(isinstance(f, Call) and f.function == "exp" for f in product.factors)
        for factor in product.factors
    )
