"""Lifting: new leading indices on every signal and on everything computed from one, and on nothing else.

The law: a lifted block at element b of the batch is the block at the example b.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from paperback.calculus.exact import evaluate
from paperback.notation.read import read
from paperback.notation.size import Size
from paperback.notation.walk import same
from paperback.program.lift import depends_on, lift, unlift
from paperback.program.program import Program, ProgramTensor

N = Size.of("N")

BLOCKS = {
    "dense": ("y[o] = sum(i) x[i] * w[i,o] + b[o]", {"x": "I", "w": "I O", "b": "O"}, {"I": 3, "O": 2}),
    "conv": ("y[i,k] = sum(p,r) x[i+p,r] * w[p,r,k]", {"x": "L R", "w": "P R K"}, {"L": 5, "P": 2, "R": 2, "K": 3}),
    "pads": ("y[i] = sum(p) x[2*i+p-1] * w[p] where x pads 0, i < 3", {"x": "L", "w": "P"}, {"L": 5, "P": 3}),
    "element": ("y = relu(x[]) + x[]", {"x": ""}, {}),
    "two statements": ("m = sum(k) x[k]\ny[i] = x[i] * m + c[i]", {"x": "K", "c": "K"}, {"K": 3}),
    "parameter first": ("q[i] = w[i]*w[i]\ny[i] = q[i] * x[i]", {"x": "K", "w": "K"}, {"K": 3}),
    "pool": ("y[i] = max(p<2) x[2*i+p]", {"x": "L"}, {"L": 5}),
    "flatten": ("y[3*i+j] = x[i,j]", {"x": "I J"}, {"I": 2, "J": 3}),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_lifted_block_is_the_block_for_every_example(name: str) -> None:
    text, axes, sizes = BLOCKS[name]
    block = read(text, axes=axes, sizes=sizes)
    rng = np.random.default_rng(3)
    arrays = {
        tensor: _fractions(rng, tuple(axis.value for axis in known.axes)) for tensor, known in block.inputs.items()
    }
    batch, rows = 3, 2
    signal = _fractions(rng, (batch, rows, *(axis.value for axis in block.inputs["x"].axes)))
    lifted = lift(block, {"x"}, [("n", N), ("r", Size.of(rows))])
    together = evaluate(lifted, {**arrays, "x": signal}, sizes={"N": batch})
    target = block.result.target
    for b in range(batch):
        for r in range(rows):
            alone = evaluate(block, {**arrays, "x": signal[b, r]})[target]
            assert np.array_equal(together[target][b, r], alone)


def _fractions(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    values = np.empty(shape, dtype=object)
    for index in np.ndindex(shape):
        values[index] = Fraction(int(rng.integers(-9, 10)), 4)
    return values


def test_what_depends_on_no_signal_stays() -> None:
    block = read(*BLOCKS["parameter first"][:1], axes={"x": "K", "w": "K"}, sizes={"K": 3})
    lifted = lift(block, {"x"}, [("n", N)])
    assert [len(s.axes) for s in lifted.statements] == [1, 2]
    assert lifted.inputs["w"] == block.inputs["w"]
    assert lifted.inputs["x"].axes == (N, Size.of(3))
    assert depends_on(block.statements, {"x"}) == {"x", "y"}
    assert depends_on(block.statements, {"w"}) == {"w", "q", "y"}


def test_every_statement_gets_letters_of_its_own_and_a_free_name() -> None:
    block = read("m = sum(n) x[n]\ny[n] = x[n] - m", axes={"x": "K"}, sizes={"K": 3})
    lifted = lift(block, {"x"}, [("n", N)])
    first, second = (statement.letters[0] for statement in lifted.statements)
    assert first != second
    assert {first.name, second.name} == {"n1"}


def test_a_gather_is_lifted_on_both_sides() -> None:
    block = read("J = z[y[]]", axes={"z": "K", "y": ""}, sizes={"K": 3}, integers=("y",))
    lifted = lift(block, {"z", "y"}, [("n", N)])
    z = [[Fraction(1), Fraction(2), Fraction(3)], [Fraction(4), Fraction(5), Fraction(6)]]
    assert list(evaluate(lifted, {"z": z, "y": [2, 0]}, sizes={"N": 2})["J"]) == [3, 4]


def test_without_axes_nothing_changes() -> None:
    block = read("y = relu(x[])", axes={"x": ""})
    assert lift(block, {"x"}, []) is block


def program_of(text: str, axes: dict[str, str], sizes: dict[str, int]) -> tuple[Program, Program]:
    """A block as a program, for one example and lifted over n < N for the signal x."""
    single = read(text, axes=axes, sizes=sizes)
    made = []
    for block in (single, lift(single, {"x"}, [("n", N)])):
        given = [ProgramTensor(name, tensor.axes, "input") for name, tensor in block.inputs.items()]
        computed = [ProgramTensor(s.target, s.axes, "intermediate") for s in block.statements]
        made.append(Program({t.name: t for t in (*given, *computed)}, block.statements, (block.result.target,)))
    return made[0], made[1]


@pytest.mark.parametrize("name", BLOCKS)
def test_unlift_undoes_lift(name: str) -> None:
    single, lifted = program_of(*BLOCKS[name])
    found = unlift(lifted)
    assert found is not None and found.tensors == single.tensors
    assert same(found.statements, single.statements) and not same(lifted.statements, single.statements)


@pytest.mark.parametrize("mixing", [
    "m[k] = sum(n) x[n,k]",  # a sum over the batch
    "y[n,k] = x[n,k]/N",  # its size
    "y[n,k] = x[n,k]*n",  # the place of an example
    "y[n,k] = x[N-1-n,k]",  # another example
    "y[n] = sum(m) x[n,0]*x[m,0]",  # another one beside it
    "y[n,m] = x[n,m] where x: N N",  # an axis as long as the batch
])  # fmt: skip
def test_where_examples_meet_there_is_no_program_for_one(mixing: str) -> None:
    block = read(mixing, **({} if "where" in mixing else {"axes": {"x": "N K"}, "sizes": {"K": 3}}))
    tensors = {"x": ProgramTensor("x", block.inputs["x"].axes, "input")}
    target = block.result.target
    tensors[target] = ProgramTensor(target, block.result.axes, "output")
    assert unlift(Program(tensors, block.statements, (target,))) is None
