"""The exact text of a value: equal for equal values in other processes, different for all others."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from fractions import Fraction

import pytest

from paperback import nn
from paperback.calculus.conventions import Conventions
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import AffineGuard, Read, Statement, mul
from paperback.notation.size import Size
from paperback.notation.walk import nodes
from paperback.program.program import Program
from paperback.program.text import exact

NET = nn.Sequential(nn.Conv2d(3, 2, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(4))


def network(net: nn.Layer = NET) -> Program:
    return nn.build(net, (6, 6, 2)).train


def test_the_letters_of_another_process_change_nothing() -> None:
    first, second = network(), network()
    letters = [s.binders[0].letter.uid for s in (first.statements[0], second.statements[0])]
    assert letters[0] != letters[1]
    assert exact(first) == exact(second)


def test_letters_are_told_apart_by_their_places() -> None:
    i, j = Letter.fresh("i"), Letter.fresh("i")
    texts = {exact(*(Affine.of(letter) for letter in row)) for row in ((i, i), (i, j))}
    assert len(texts) == 2
    assert exact(Affine.of(i), Affine.of(j)) == exact(Affine.of(j), Affine.of(i))


def first(program: Program, change: Callable[[Statement], Statement]) -> Program:
    return replace(program, statements=(change(program.statements[0]), *program.statements[1:]))


def with_pad(program: Program) -> Program:
    def padded(statement: Statement) -> Statement:
        return replace(statement, pad=Fraction(1))

    return first(program, padded)


def scaled(program: Program) -> Program:
    return first(program, lambda s: replace(s, expr=mul(s.expr, s.expr)))


NEAR: dict[str, Callable[[Program], Program]] = {
    "pad": with_pad,
    "expression": scaled,
    "order": lambda p: replace(p, statements=p.statements[::-1]),
    "one less": lambda p: replace(p, statements=p.statements[:-1]),
    "axes": lambda p: first(p, lambda s: replace(s, axes=(*s.axes[:-1], Size.of(99)))),
    "target": lambda p: first(p, lambda s: replace(s, target="other")),
    "letters swapped": lambda p: first(p, lambda s: replace(s, left=(s.left[0], s.left[2], s.left[1], s.left[3]))),
    "outputs": lambda p: replace(p, outputs=()),
    "batch": lambda p: replace(p, batch="M"),
    "adjoints": lambda p: replace(p, adjoints=("dinput",)),
    "updates": lambda p: replace(p, updates={"dense_1.b": p.statements[0]}),
    "conventions": lambda p: replace(p, conventions={"relu_1.y": Conventions(relu_at_zero=Fraction(1))}),
    "another convention": lambda p: replace(p, conventions={"relu_1.y": Conventions(relu_at_zero=Fraction(1, 2))}),
    "role": lambda p: replace(p, tensors=p.tensors | {"input": replace(p.tensors["input"], role="label")}),
    "integer": lambda p: replace(p, tensors=p.tensors | {"input": replace(p.tensors["input"], integer=True)}),
}


def test_programs_that_nearly_agree_have_texts_of_their_own() -> None:
    program = network()
    texts = {"same": exact(program)} | {name: exact(change(program)) for name, change in NEAR.items()}
    assert len(texts) == 16
    for (a, one), (b, other) in itertools.combinations(texts.items(), 2):
        assert one != other, f"{a} and {b}"


def test_every_field_of_every_part_is_in_the_text() -> None:
    """A part that is left out would make two programs one."""
    found = set()
    for statement in network().statements:
        for node in nodes(statement.expr):
            for name in node._fields:
                found.add((type(node).__name__, name))
                values = {n: getattr(node, n) for n in node._fields}
                blank = type(node)(*({**values, name: "changed"}.values()))
                assert exact(node) != exact(blank)
    assert len(found) >= 11
    for one in (AffineGuard("==", Affine.of(1)), Statement("y", (), (), Read("x", (), None))):
        for field in fields(one):
            assert exact(one) != exact(replace(one, **{field.name: "changed"})), field.name


@pytest.mark.parametrize(
    "values",
    [(1, 1.0, True, "1", Fraction(1)), ((1, 2), (1, (2,)), ((1,), 2)), ("a,", "a"), (0.1, 0.1 + 2e-17), (None, "None"),
     (float("inf"), float("-inf"), float("nan")), ({"a": 1}, {"a": 2}, {"b": 1}, {})],
)  # fmt: skip
def test_values_that_look_alike_differ(values: tuple[object, ...]) -> None:
    assert len({exact(value) for value in values}) == len({repr(value) for value in values})


def test_what_has_no_text_is_refused() -> None:
    @dataclass(frozen=True)
    class Odd:
        call: object

    for value in (lambda: 1, Odd(len), object()):
        with pytest.raises(TypeError, match="no exact text"):
            exact(value)
