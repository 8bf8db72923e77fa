"""Engines agree on guards between left letters and binders, where the kernel form has the most to decide.

Formulas drawn by a seed: up to three left letters and two binders, coefficients -3..3, equalities mostly, reads padded
and out of range; each with its Jacobian and its adjoint, in NumPy against the exact engine.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
from tests.golden.exactly import as_float

import paperback as pb
from paperback import engines
from paperback.calculus.kernel import kernel_form

to_floats = np.vectorize(as_float, otypes=[float])
to_fractions = np.vectorize(Fraction, otypes=[object])
SEEDS = 160


def affine(rng: random.Random, letters: list[str]) -> str:
    text = ""
    for letter in letters:
        c = rng.choice((-3, -2, -1, -1, 1, 1, 1, 2, 3))
        text += ("+" if c > 0 else "-") + (f"{abs(c)}*" if abs(c) != 1 else "") + letter
    k = rng.randint(-3, 3)
    return text.lstrip("+") + (f"{k:+d}" if k else "")


def guard(rng: random.Random, letters: list[str]) -> str:
    some = rng.sample(letters, min(len(letters), rng.choice((1, 2, 2, 3, 3))))
    form, kind = affine(rng, some), rng.random()
    if kind < 0.75:
        plain = rng.random() < 0.5 or len(some) < 2
        return f"[{form} == 0]" if plain else f"[{affine(rng, some[:-1])} == {some[-1]}]"
    return f"[{rng.choice((2, 3))} | {form}]" if kind < 0.85 else f"[{form} {rng.choice(('!=', '>='))} 0]"


def draw(rng: random.Random) -> tuple[str, dict[str, list[int]]]:
    """A formula and the shapes of its inputs."""
    left = rng.sample("ijmt", rng.choice((1, 2, 2, 3, 3)))
    bound = rng.sample("pqu", rng.choice((0, 0, 1, 1, 2)))
    extents = {letter: rng.choice((1, 2, 2, 3, 3, 4, 5)) for letter in left + bound}
    where = [f"{letter} < {extents[letter]}" for letter in left]
    factors = [guard(rng, left + bound) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
    shapes = {}
    for name in "xw"[: rng.choice((0, 1, 2))]:
        shapes[name] = [rng.choice((2, 3, 4)) for _ in range(rng.choice((1, 1, 2)))]
        places = [affine(rng, rng.sample(left + bound, 1 + rng.randrange(len(left + bound)) % 2)) for _ in shapes[name]]
        factors.append(f"{name}[{','.join(places)}]")
        where += [f"{name}: {' '.join(map(str, shapes[name]))}", f"{name} pads {rng.choice((0, 0, 0, 1, -2))}"]
    body = "*".join(factors)
    if bound:
        body = f"sum({','.join(f'{letter}<{extents[letter]}' for letter in bound)}) {body}"
    body = rng.choice((body, body, body, f"2*{left[0]} + {body}", f"({body})^2"))
    return f"y[{','.join(left)}] = {body} where {', '.join(where)}", shapes


def agree(formula: pb.Formula, arrays: dict[str, Any]) -> bool:
    given = {name: array for name, array in arrays.items() if name in formula.block.inputs}
    exact = {name: to_fractions(array) for name, array in given.items()}
    expected = engines.run(formula.block, exact, {}, engine="exact")[formula.block.result.target]
    return np.allclose(formula(**given), to_floats(expected), rtol=1e-12, atol=1e-12)


def test_random_guards_between_left_letters_and_binders() -> None:
    drawn = compared = split = 0
    for seed in range(SEEDS):
        text, shapes = draw(random.Random(seed))
        try:
            formula = pb.formula(text)
        except pb.FormulaError:
            continue  # a bare letter that runs beyond its axis
        drawn += 1
        rng = np.random.default_rng(seed)
        arrays = {name: rng.integers(-8, 9, shape) / 4 for name, shape in shapes.items()}
        asked = [formula]
        if shapes:
            arrays["dy"] = rng.integers(-8, 9, [axis.value for axis in formula.block.result.axes]) / 4
            asked += [formula.derivative("x"), formula.vjp("x")]
        for question in asked:
            assert agree(question, arrays), f"seed {seed}: {text}\n{question}"
            compared += 1
            split += len(kernel_form(question.block.result)) > 1
    assert drawn >= SEEDS - 5 and compared >= 350 and split >= 12


def test_a_left_letter_that_other_left_letters_give() -> None:
    """[t + m == j], in every order of the axes, and the Jacobian of a padded read."""
    for axes in ("m,j,t", "j,t,m", "t,m,j", "m,t,j"):
        formula = pb.formula(f"y[{axes}] = [t+m == j] where m<2, j<2, t<2")
        order = [axes.split(",").index(letter) for letter in "mjt"]
        assert formula().transpose(order).tolist() == [[[1, 0], [0, 1]], [[0, 0], [1, 0]]]
    jacobian = pb.formula("y[i,p] = w[p-i] where i<2, p<2, w pads 0, w: 2").derivative("w")
    assert jacobian(w=np.ones(2)).tolist() == [[[1, 0], [0, 1]], [[0, 0], [1, 0]]]
