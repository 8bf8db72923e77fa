r"""LaTeX in: what is read, against plain text and against loops that count as the paper does; what is told; mutants.

`latex_formulas.txt` pairs formulas in LaTeX with plain text, `bad_latex.txt` holds messages word for word.
"""

from __future__ import annotations

import json
import random
import re
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.notation.formulas import GOOD
from tests.notation.paper import evaluate
from tests.notation.test_errors import cases

import paperback as pb
from paperback import engines
from paperback.errors import FormulaError, FormulaWarning
from paperback.notation import counting
from paperback.notation.expr import Reduce
from paperback.notation.latex import latex
from paperback.notation.read import read
from paperback.notation.show import Line
from paperback.notation.tex import cursor, expressions, is_latex, marks, statements, translate
from paperback.notation.tokens import Token
from paperback.notation.walk import nodes

SHEET = r"C_{ijk} = \sum_{p,q,r} x_{(s_1 i+p)(s_2 j+q)r} w_{(P-p)(Q-q)rk}"
GEOMETRY: dict[str, Any] = {"x": "H W R", "w": "P Q R K"}


def readings() -> dict[str, tuple[dict[str, Any], str, str]]:
    """The entries of the table of readings: name -> what is declared, LaTeX, plain text."""
    text = (Path(__file__).parent / "latex_formulas.txt").read_text(encoding="utf-8")
    found = {}
    for entry in text.split("\n\n@ ")[1:]:
        head, _, rest = entry.partition("\n")
        written, _, plain = rest.partition("\n--\n")
        name, _, declared = head.partition(" {")
        found[name] = (json.loads("{" + declared), written, plain.rstrip("\n"))
    return found


READ = readings()
BAD = cases("bad_latex.txt")


def same(declared: dict[str, Any], written: str, plain: str) -> bool:
    base = {"base": declared["base"]} if "base" in declared else {}
    rest = {name: value for name, value in declared.items() if name != "base"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FormulaWarning)
        return read(written, **rest, **base) == read(plain, **rest)


@pytest.mark.parametrize("name", READ)
def test_latex_means_what_the_plain_text_means(name: str) -> None:
    assert same(*READ[name])


def test_the_tables_are_there() -> None:
    assert len(READ) >= 65 and len(BAD) >= 85
    assert len({message for _, _, message in BAD}) >= 80


@pytest.mark.parametrize(("declared", "formula", "message"), BAD, ids=[formula for _, formula, _ in BAD])
def test_bad_latex(declared: dict[str, Any], formula: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        read(formula, **declared)
    assert str(caught.value) == message


def test_carets_point_into_the_latex() -> None:
    hinted = 0
    for declared, formula, _ in BAD:
        with pytest.raises(FormulaError) as caught:
            read(formula, **declared)
        for problem in caught.value.problems:
            hinted += bool(problem.hint)
            assert problem.start is None or 0 <= problem.start <= len(formula)
            assert "[i]" not in problem.hint.replace("[i = j]", "") and "sum(" not in problem.hint, problem.hint
    assert hinted >= 0.85 * len(BAD)


# --------------------------------------------------------------------------------- counting as the paper counts


class OneBased(dict[Any, Any]):
    """An array whose elements are numbered from 1; any other index is an error."""

    def __init__(self, array: Any) -> None:
        super().__init__({tuple(i + 1 for i in place): value for place, value in np.ndenumerate(array)})

    def __call__(self, *place: int) -> Any:
        return self[place]


N, K = 5, 3
ON_PAPER: dict[str, tuple[str, dict[str, tuple[int, ...]], Callable[..., Any]]] = {
    "convolution": (
        r"y_n = \sum_{j=1}^{K} x_{n+j-1} w_j \text{ where } w \in \mathbb{R}^K",
        {"x": (N,), "w": (K,)},
        lambda n, x, w: sum(x(n + j - 1) * w(j) for j in range(1, K + 1)),
    ),
    "true convolution": (
        r"y_n = \sum_{j=1}^{K} x_{n+K-j} w_j \text{ where } w \in \mathbb{R}^K, 1 \le n \le N-K+1, x \in \mathbb{R}^N",
        {"x": (N,), "w": (K,)},
        lambda n, x, w: sum(x(n + K - j) * w(j) for j in range(1, K + 1)),
    ),
    "reversal": (
        r"y_n = x_{N+1-n} \text{ where } x \in \mathbb{R}^N", {"x": (N,)}, lambda n, x: x(N + 1 - n),
    ),
    "positions as values": (
        r"y_n = \frac{n}{N} x_n + \sum_{j < n} j x_j \text{ where } x \in \mathbb{R}^N",
        {"x": (N,)},
        lambda n, x: Fraction(n, N) * x(n) + sum(j * x(j) for j in range(1, n)),
    ),
    "a sum from 2": (
        r"y_n = \sum_{j=2}^{K} x_{nj} j \text{ where } x \in \mathbb{R}^{N \times K}",
        {"x": (N, K)},
        lambda n, x: sum(x(n, j) * j for j in range(2, K + 1)),
    ),
    "every second": (
        r"y_n = x_{(2n-1)} \text{ where } x \in \mathbb{R}^{5}, 1 \le n \le 3", {"x": (5,)}, lambda n, x: x(2 * n - 1),
    ),
    "guards": (
        r"y_n = \sum_{1 \le m \le N: m \le n \land 2 \mid m} x_m + [n = 2] x_n + \sum_{k=1}^{N} \delta_{k,n+1} x_k"
        r" \text{ where } x \in \mathbb{R}^N, 1 \le n \le N",
        {"x": (N,)},
        lambda n, x: sum(x(m) for m in range(2, n + 1, 2)) + (n == 2) * x(n) + (x(n + 1) if n < N else 0),
    ),
    "a convolution that is padded": (
        r"y_n = \sum_{j=1}^{K} x_{n+j-2} w_j \text{ where } w \in \mathbb{R}^K, x = 0\text{ elsewhere}, 1 \le n \le N, "
        r"x \in \mathbb{R}^N",
        {"x": (N,), "w": (K,)},
        lambda n, x, w: sum(x(n + j - 2) * w(j) for j in range(1, K + 1) if 1 <= n + j - 2 <= N),
    ),
}  # fmt: skip


def rationals(shape: tuple[int, ...], seed: int) -> Any:
    rng = np.random.default_rng(seed)
    numbers = [Fraction(int(n), 7) for n in rng.permutation(3 * int(np.prod(shape)))[: int(np.prod(shape))]]
    return np.array(numbers, dtype=object).reshape(shape)


def value_on_paper(name: str) -> bool:
    """Is a formula that counts from 1 what loops from 1 over arrays from 1 give, exactly?"""
    text, shapes, loop = ON_PAPER[name]
    try:
        block = read(text, base=1)
    except FormulaError:
        return False
    arrays = {tensor: rationals(shape, seed) for seed, (tensor, shape) in enumerate(shapes.items())}
    sizes = {size: number for size, number in (("N", N), ("K", K)) if size in block.size_names}
    (result,) = engines.run(block, arrays, sizes, engine="exact").values()
    paper = {tensor: OneBased(array) for tensor, array in arrays.items()}
    return all(loop(n + 1, *paper.values()) == found for n, found in enumerate(result)) and len(result) > 1


@pytest.mark.parametrize("name", ON_PAPER)
def test_formulas_that_count_from_1(name: str) -> None:
    assert value_on_paper(name)


def seen_by_another_reader(name: str) -> bool | None:
    """Has what is read the value that `paper`, a reader of its own, computes from the same LaTeX? None: it cannot.

    It needs braces around every script, and bounds below every reducer.
    """
    declared, written, _ = READ[name]
    line = written.partition(r"\text{ where }")[0].strip("$ ")
    if "base" in declared or line.count("=") != 1:
        return None
    block = read(written, **declared)
    block = block.at({size: 9 if size[-1].isdigit() else 3 for size in block.size_names})
    rng = np.random.default_rng(0)
    arrays = {n: rng.uniform(0.2, 1.5, [axis.value for axis in tensor.axes]) for n, tensor in block.inputs.items()}
    arrays |= {scalar: np.float64(rng.uniform()) for scalar in block.scalars}
    reduced = [b for node in nodes(block.result.expr) if isinstance(node, Reduce) for b in node.binders]
    extents = {b.letter.name: b.extent.value for b in reduced}

    def bounded(match: re.Match[str]) -> str:
        letters = match[2].split(",")
        return match[1] + ",".join(rf"0 \le {letter} < {extents.get(letter, 0)}" for letter in letters) + "}"

    line = re.sub(r"([_^])(\\[A-Za-z]+|\w)", r"\1{\2}", line)
    line = re.sub(r"(\\(?:sum|max|min)_\{)([a-z](?:,[a-z])*)\}", bounded, line)
    left, _, right = line.partition("=")
    bounds = [rf"0 \le {b.letter.name} < {b.extent.value}" for b in block.result.binders]
    try:
        (value,) = evaluate(block, arrays, {}, lambda _: Line(left.strip(), right.strip(), bounds)).values()
    except (AssertionError, ValueError, KeyError, IndexError, TypeError):
        return None
    (expected,) = engines.run(block, arrays, {}).values()
    return np.allclose(value, expected, rtol=1e-12)


def test_another_reader_sees_the_same() -> None:
    found = [seen_by_another_reader(name) for name in READ]
    assert False not in found and found.count(True) >= 10


def test_a_sum_from_1_in_a_formula_from_0_is_warned_of() -> None:
    text = r"y_{i} = \sum_{k=1}^{K} x_{ik}"
    with pytest.warns(FormulaWarning, match=r"^k begins at 1, so element 0 is left out: .* write base=1$"):
        skipping = pb.formula(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pb.formula(text, base=0) == skipping != pb.formula(text, base=1)
    assert np.array_equal(skipping(x=np.array([[1.0, 10, 100]]), K=2), [110])
    assert np.array_equal(pb.formula(text, base=1)(x=np.array([[1.0, 10, 100]])), [111])


# --------------------------------------------------------------------------------------------- the CNN sheet


def test_equation_1_of_the_cnn_sheet_gets_an_offer() -> None:
    """E1: `w_{(P-p)(Q-q)rk}` closes under no base; P-1-p (from 1: P+1-p) does, and so it is told, in plain text too."""
    plain = "C[i,j,k] = sum(p,q,r) x[s1*i+p,s2*j+q,r]*w[P-p,Q-q,r,k]"
    for text, base, fits in ((SHEET, 0, "P-1-p"), (SHEET, 1, "P+1-p"), (plain, 0, "P-1-p")):
        with pytest.raises(FormulaError) as caught:
            pb.formula(text, **GEOMETRY, s1=1, s2=2, base=base)
        assert [fits in problem.hint for problem in caught.value.problems] == [True, False], text
        with pytest.raises(FormulaError) as caught:
            pb.formula(text, base=base)
        assert len(caught.value.problems) == 4 and fits in caught.value.problems[2].hint


def sheet() -> pb.Formula:
    corrected = SHEET.replace("(P-p)", "(P-1-p)").replace("(Q-q)", "(Q-1-q)")
    return pb.formula(corrected + r" \text{ where } s_1, s_2 \in \mathbb{N}", **GEOMETRY)


def test_the_derivatives_of_the_sheet_as_text() -> None:
    """E2 and E3, with their windows."""
    dx, dw = sheet().derivative("x"), sheet().derivative("w")
    assert dx.latex(where=False) == (
        r"\mathit{dC\_dx}_{ijktuv} = [\,0 \le t - \mathit{s1}\, i < P \land 0 \le u - \mathit{s2}\, j < Q\,]"
        r" w_{(\mathit{s1}\,i-t+P-1)(\mathit{s2}\,j-u+Q-1)vk}"
    )
    assert dw.latex(where=False) == (
        r"\mathit{dC\_dw}_{ijktuva} = \delta_{ak} x_{(\mathit{s1}\,i-t+P-1)(\mathit{s2}\,j-u+Q-1)v}"
    )
    assert pb.formula(dx.latex()) == dx and pb.formula(dw.latex()) == dw


def test_the_derivatives_of_the_sheet_exactly() -> None:
    """E2 and E3 of the catalogue, by their own formulas in loops over rationals, for two strides."""
    for s1, s2 in ((1, 1), (2, 3)):
        shape = {"H": 5, "W": 7, "R": 2, "P": 3, "Q": 2, "K": 2, "s1": s1, "s2": s2}
        x, w = rationals((5, 7, 2), 1), rationals((3, 2, 2, 2), 2)
        found = {}
        for name in "xw":
            block = sheet().derivative(name).block
            given = {tensor: {"x": x, "w": w}[tensor] for tensor in block.inputs}
            sizes = {size: value for size, value in shape.items() if size in block.size_names}
            (found[name],) = engines.run(block, given, sizes, engine="exact").values()
        assert found["x"].shape == ((5 - 3) // s1 + 1, (7 - 2) // s2 + 1, 2, 5, 7, 2)
        for (i, j, k, t, u, v), value in np.ndenumerate(found["x"]):
            window = 0 <= t - s1 * i <= 2 and 0 <= u - s2 * j <= 1
            assert value == (w[2 + s1 * i - t, 1 + s2 * j - u, v, k] if window else 0)
        for (i, j, k, c, t, u, v), value in np.ndenumerate(found["w"]):
            assert value == (x[s1 * i + 2 - c, s2 * j + 1 - t, u] if k == v else 0)


# ------------------------------------------------------------------------------------------ what is LaTeX


def test_plain_text_is_never_taken_for_latex() -> None:
    plain = [text for text, _ in GOOD.values()] + [text for _, text, _ in cases() if "\\" not in text]
    assert len(plain) > 150 and not any(is_latex(text) for text in plain)
    assert all(is_latex(written) for _, written, _ in READ.values())
    assert all(is_latex(f"${latex(read(text, **declared))}$") for text, declared in GOOD.values())


def test_damaged_latex_is_read_or_told_what_is_wrong() -> None:
    """A mark less, more, or another one: a block or a FormulaError, nothing else."""
    chance = random.Random(0)
    signs = (
        r"{ } \frac \sum_ _ ^ ( ) [ ] | \\ & , x 2 \text{where} \begin{cases} "
        r"\end{cases} = \le \in : \mathbb{R} ' . -"
    ).split()
    signs.append("")
    told = right = 0
    for declared, written, _ in READ.values():
        pieces = re.findall(r"\\[A-Za-z]+|\\.|.", f"${written}$", re.DOTALL)
        for _ in range(25):
            place = chance.randrange(1, len(pieces))
            damaged = "".join([*pieces[:place], chance.choice(signs), *pieces[place + chance.choice((0, 1, 1, 4)) :]])
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", FormulaWarning)
                    read(damaged, **declared)
                right += 1
            except FormulaError as error:
                assert error.problems and str(error)
                told += 1
    assert told > 800 and right > 80


def test_a_layer_may_be_written_in_latex() -> None:
    class Swish(pb.nn.Layer):
        r"""y = x \sigma(x)."""

        formula = r"y = x \sigma(x) \text{ where } x \in \mathbb{R}"

    model = pb.Model(pb.nn.Sequential(pb.nn.Dense(3), Swish()), input_shape=(2,), seed=0, dtype="float64")
    x = np.array([[0.5, -1.0]])
    z = x @ model.parameters["dense_1.w"] + model.parameters["dense_1.b"]
    np.testing.assert_allclose(model.predict(x), z / (1 + np.exp(-z)), rtol=1e-12)


# -------------------------------------------------------------------------------------------------- mutants


FRACTION, PARENTHESES = expressions.Expressions.quotient, expressions.Expressions.parentheses
LIMITS, PADS, ROWS = translate.Translator.limits, statements.Statements.pads, statements.Statements.rows


def _upside_down(self: Any, mark: Any, above: Any, below: Any) -> None:
    FRACTION(self, mark, below, above)


def _always_a_name(self: Any) -> None:
    mark = self.take()
    self.begin(mark)
    self.read(mark)


def _sum_forgets_a_bound(self: Any, bound: Any) -> None:
    return None


def _not_less_one(self: Any, index: Any, letters: Any) -> Any:
    return self.value(index, letters)


def _letters_from_0(self: Any, node: Any, letters: Any) -> Any:
    return counting.map_parts(node, lambda part: self.value(part, dict.fromkeys(letters, 0)))


def _one_index(self: Any, name: Any, piece: Any, only: bool) -> None:
    self.part(*piece)


def _inclusive(self: Any, part: Any, plus_one: bool, mark: Any) -> None:
    self.part(*part)


def _no_condition(self: Any, mark: Any, below: Any, top: Any) -> Any:
    bounds, _ = LIMITS(self, mark, below, top)
    return bounds, []


def _transparent(self: Any, low: int, high: int, mark: Any) -> None:
    self.emit("(", mark)
    self.part(low, low + 1)
    self.emit(")", mark)


def _bars_drop(self: Any) -> None:
    PARENTHESES(self)


def _otherwise_always(self: Any, word: Any, told: Any) -> None:
    for text, kind in (("0", "number"), ("<", "op"), ("1", "number")):
        self.out.append(Token(kind, text, word.start, word.end))


def _no_scripts(self: Any, base: Any) -> None:
    if self.at("^"):
        self.take()
        self.argument_of("above")


def _no_pads(self: Any, name: Any, value: Any) -> None:
    PADS(self, name, (value[0] + 1, value[1]) if value[1] - value[0] > 1 else value)


def _one_row(self: Any, low: int, high: int) -> Any:
    return ROWS(self, low, high)[-1:]


def _forgets_primes(match: Any) -> str:
    return ""


def _relations_turned(self: Any, low: int, high: int) -> bool:
    return False


MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "fractions upside down": (expressions.Expressions, "quotient", _upside_down),
    "no Kronecker delta": (expressions.Expressions, "delta", _always_a_name),
    "e is a name": (expressions.Expressions, "exponential", _always_a_name),
    "bounds are forgotten": (translate.Translator, "extent", _sum_forgets_a_bound),
    "indices are not lowered by the base": (counting._Counting, "index", _not_less_one),
    "letters count from 0": (counting._Counting, "value", _letters_from_0),
    "a subscript is one index": (translate.Translator, "indices", _one_index),
    "upper limits are not reached": (translate.Translator, "size", _inclusive),
    "conditions of sums are dropped": (translate.Translator, "limits", _no_condition),
    "only the first mark of a group": (expressions.Expressions, "enclosed", _transparent),
    "bars are parentheses": (expressions.Expressions, "bars", _bars_drop),
    "otherwise is always": (translate.Translator, "otherwise", _otherwise_always),
    "powers of groups are dropped": (expressions.Expressions, "scripts", _no_scripts),
    "pads lose their sign": (statements.Statements, "pads", _no_pads),
    "only the last statement": (statements.Statements, "rows", _one_row),
    "primes are dropped": (marks, "_primes", _forgets_primes),
    "no bracket is a condition": (cursor.Cursor, "has_relation", _relations_turned),
}


def survives() -> bool:
    """Do all formulas of the table, and all that are computed on paper, still mean what they should?"""
    for entry in READ.values():
        try:
            if not same(*entry):
                return False
        except FormulaError:
            return False
    return all(map(value_on_paper, ON_PAPER))


def test_without_a_mutant_everything_holds() -> None:
    assert survives()


@pytest.mark.parametrize("name", MUTANTS)
def test_planted_mutants_are_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, mutant = MUTANTS[name]
    monkeypatch.setattr(owner, attribute, mutant)
    assert not survives()
