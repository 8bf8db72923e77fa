"""LaTeX and MathML: what is printed, word for word; and read back by a reader of its own, it has the same value."""

from __future__ import annotations

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from functools import partial
from typing import Any

import numpy as np
import pytest
from tests.calculus.formulas import CASES, Case
from tests.notation.mathml_signs import ELEMENT, as_latex
from tests.notation.paper import Reader, evaluate, tokens
from tests.notation.random_blocks import Maker
from tests.notation.test_show import EXPRESSIONS

import paperback as pb
from paperback import engines
from paperback.notation.bind import bind_sizes
from paperback.notation.expr import Statement
from paperback.notation.latex import Latex, latex_statement
from paperback.notation.mathml import MathML
from paperback.notation.show import Line, statement_line
from paperback.notation.size import evaluate as evaluate_size
from paperback.notation.typeset import Typesetter
from paperback.notation.words import GREEK

PRINTED = {
    "C[i,j,k] = sum(p,q,r) x[2*i+p,2*j+q,r]*w[P-1-p,Q-1-q,r,k] + b[k] where w: P Q R K, x: H V R":
        r"C_{ijk} = \sum_{p,q,r} x_{(2i+p)(2j+q)r} w_{(P-1-p)(Q-1-q)rk} + b_{k}",
    "y[n] = sum(j) x[n+j]*w[j]": r"y_{n} = \sum_{j} x_{(n+j)} w_{j}",
    "y[n] = sum(j) x[n-j]*w[j] where x: D, w: K, x pads 0, n < D+K-1": r"y_{n} = \sum_{j} x_{(n-j)} w_{j}",
    "g[] = sigmoid(a[])": r"g = \sigma(a)",
    "L = -(y[]*log(g[]) + (1 - y[])*log(1 - g[]))": r"L = -(y \log(g) + (1 - y) \log(1 - g))",
    "L = max(a[], 0) - a[]*y[] + log1p(exp(-abs(a[])))":
        r"L = \max(a, 0) - ay + \operatorname{log1p}(\exp(-\lvert a\rvert))",
    "L = (y[] - g[])^2": "L = (y - g)^{2}",
    "S[i] = exp(x[i])/(sum(k) exp(x[k]))": r"S_{i} = \exp\left(x_{i} - \operatorname*{logsumexp}_{k} x_{k}\right)",
    "S[i] = exp(z[i] - logsumexp(k) z[k])": r"S_{i} = \exp\left(z_{i} - \operatorname*{logsumexp}_{k} z_{k}\right)",
    "J[i,j] = S[i]*([i == j] - S[j])": r"J_{ij} = S_{i} (\delta_{ij} - S_{j})",
    "y[k] = sum(j) u[k,j]*phi(sum(i) w[j,i]*x[i] + b[j]) + c[k] where phi increasing":
        r"y_{k} = \sum_{j} u_{kj} \phi\left(\sum_{i} w_{ji} x_{i} + b_{j}\right) + c_{k}",
    "y = tanh(a[]) - 2*sigmoid(2*a[]) + 1": r"y = 1 + \tanh(a) - 2\sigma(2a)",
    "M[i,j,c] = max(p<2,q<2) x[2*i+p,2*j+q,c]": r"M_{ijc} = \max_{0 \le p,q<2} x_{(2i+p)(2j+q)c}",
    "M[i,c] = max(p<3) x[2*i+p-1,c] where x: H C, x pads -inf, i < floor((H-1)/2)+1":
        r"M_{ic} = \max_{0 \le p<3} x_{(2i+p-1)c}",
    "F[J*K*i+K*j+k] = x[i,j,k] where x: I J K": "F_{(JKi+Kj+k)} = x_{ijk}",
    "z[n,o] = sum(i) x[n,i]*w[i,o] + b[o]": r"z_{no} = \sum_{i} x_{ni} w_{io} + b_{o}",
    "J = logsumexp(k) z[k] - z[y[]] where y int": r"J = \operatorname*{logsumexp}_{k} z_{k} - z_{(y)}",
    "E = sum(n) (logsumexp(k) z[n,k] - z[n,label[n]])/N where z: N K, label int":
        r"E = \sum_{n} \frac{\operatorname*{logsumexp}_{k} z_{nk} - z_{n(\mathit{label}_{n})}}{N}",
    "w1[i] = w0[i] - eta*g[i]/B where eta scalar, B scalar":
        r"\mathit{w1}_{i} = \mathit{w0}_{i} - \frac{\eta g_{i}}{B}",
    "v[i] = 9/10*u[i] + g[i]": "v_{i} = 0.9 u_{i} + g_{i}",
    "y[i] = x[i]*(1 + erf(x[i]/sqrt(2)))/2":
        r"y_{i} = \frac{1}{2} x_{i} \left(1 + \operatorname{erf}\left(\frac{x_{i}}{\sqrt{2}}\right)\right)",
    "y[i] = (x[i] - mu[])*(v[] + eps)^(-1/2)*gamma[i] + beta[i] where eps scalar":
        r"y_{i} = (x_{i} - \mu) (v + \mathit{eps})^{-1/2} \gamma_{i} + \beta_{i}",
    "y[t,d] = E[id[t],d] where id int": r"y_{td} = E_{(\mathit{id}_{t})d}",
    "y[q,d] = sum(m | m <= q) exp(s[q,m] - logsumexp(u | u <= q) s[q,u])*v[m,d]":
        r"y_{qd} = \sum_{m:m \le q} \exp\left(s_{qm} - \operatorname*{logsumexp}_{u:u \le q} s_{qu}\right) v_{md}",
    "y[t] = sum(i,p) [t == 2*i+p]*x[i]*w[p] where t < 2*(I-1)+P, x: I, w: P":
        r"y_{t} = \sum_{i,p} [\,t = 2i + p\,] x_{i} w_{p}",
    "y[t] = sum(p) [2 | t-p]*x[(t-p)/2]*w[p] where x: I, x pads 0, t < 2*I, w: P":
        r"y_{t} = \sum_{p} [\,2 \mid t - p\,] x_{((t-p)/2)} w_{p}",
    "y[2*i] = x[i] where y pads 0": "y_{(2i)} = x_{i}",
    "X[k] = sqrt(2/N)*sum(n) x[n]*cos(pi*(2*n + 1)*k/(2*N)) where x: N, k < N":
        r"X_{k} = \sqrt{\frac{2}{N}} \sum_{n} x_{n} \cos\left(\frac{\pi \cdot (2n + 1) k}{2N}\right)",
    "y' = x''[]^2": "{y'} = {x''}^{2}",
    "a = eta*(b[] + 1) where eta scalar": r"a = \eta \cdot (b + 1)",
    "y = a/b/c where a scalar, b scalar, c scalar": r"y = \frac{a}{b} \frac{1}{c}",
    "y = a/(b*c) where a scalar, b scalar, c scalar": r"y = \frac{a}{bc}",
    "y = a/b*c where a scalar, b scalar, c scalar": r"y = \frac{a}{b} c",
    "y = 2/3*a where a scalar": r"y = \frac{2}{3} a",
    "y = 2*a/(3*b) where a scalar, b scalar": r"y = \frac{2a}{3b}",
    "y = (a/b)^2 where a scalar, b scalar": r"y = \left(\frac{a}{b}\right)^{2}",
    "y = 1e-5*a + 2.5e-7 where a scalar": r"y = 10^{-5} a + 2.5 \cdot 10^{-7}",
    "y = (sum(i) x[i])^2/(sum(i) x[i]^2)": r"y = \frac{\left(\sum_{i} x_{i}\right)^{2}}{\sum_{i} x_{i}^{2}}",
    "y = x[0] + x[3] where x: 4": "y = x_{(0)} + x_{(3)}",
    "conv_1.y[i] = relu(dense_1.y[i])": r"\mathit{conv\_1.y}_{i} = \operatorname{relu}(\mathit{dense\_1.y}_{i})",
    "y[i] = min(j) abs(x[i] - z[j])": r"y_{i} = \min_{j} \lvert x_{i} - z_{j}\rvert",
    "k[i] = argmax(j) x[i,j]": r"k_{i} = \operatorname*{argmax}_{j} x_{ij}",
    "y = -a^2 where a scalar": "y = -a^{2}",
    "y = 2^(1/3)*3^(1/2)*a where a scalar": r"y = 2^{1/3} \sqrt{3} a",
    "y[i] = x[i]^(-1)": r"y_{i} = \frac{1}{x_{i}}",
    "y[i] = step(x[i])*N/i*D where x: N, u: D": r"y_{i} = \frac{\operatorname{step}(x_{i}) N}{i} D",
    "delta[i] = [i == k[]]*x[i] where k int": r"\delta_{i} = [\,i = k\,] x_{i}",
    "y[alpha,i] = x[alpha,2*i]*omega where omega scalar": r"y_{\alpha i} = x_{\alpha(2i)} \omega",
    "y[i] = sigma(x[i])*sigmoid(x[i]) where sigma function":
        r"y_{i} = \operatorname{sigma}(x_{i}) \operatorname{sigmoid}(x_{i})",
    "y_hat[i] = mu_bar'[i]*sigmoid(x_low[i])":
        r"\hat{y}_{i} = {\bar{\mu}'}_{i} \sigma(\mathit{x\_low}_{i})",
    "y = (1e-5)^(1/3)*a where a scalar": "y = (10^{-5})^{1/3} a",
}  # fmt: skip


@pytest.mark.parametrize("text", PRINTED)
def test_latex_word_for_word(text: str) -> None:
    assert pb.formula(text).latex(where=False) == PRINTED[text]


CLAUSES = {
    "M[i,c] = max(p<3) x[2*i+p-1,c] where x: H C, x pads -inf, i < floor((H-1)/2)+1":
        r"x \in \mathbb{R}^{H \times C},\; x = -\infty\text{ elsewhere},\; 0 \le i < \lfloor (H - 1)/2\rfloor + 1",
    "y[t,d] = E[id[t],d] where id int": r"E \in \mathbb{R}^{\mathit{E0} \times D},\; \mathit{id} \in \mathbb{Z}^{T}",
    "y[i] = phi(x[i])*eta*a[] where phi increasing, eta scalar":
        r"x \in \mathbb{R}^{I},\; a \in \mathbb{R},\; \phi : \mathbb{R} \to \mathbb{R}\text{ increasing},"
        r"\; \eta\text{ scalar}",
    "y[i] = psi'(x[i])*H where psi' function, x: (2*K), u: (), H size":
        r"x \in \mathbb{R}^{2K},\; {\psi'} : \mathbb{R} \to \mathbb{R},\; u \in \mathbb{R},\; H \in \mathbb{N}",
    "y[i] = x[i]*H where x: K, H = 2*K, z: H": r"x \in \mathbb{R}^{K},\; z \in \mathbb{R}^{2K}",
}  # fmt: skip


@pytest.mark.parametrize("text", CLAUSES)
def test_clauses_word_for_word(text: str) -> None:
    formula = pb.formula(text)
    rows = formula.latex().splitlines()
    assert rows[0] == r"\begin{aligned}" and rows[-1] == r"\end{aligned}"
    assert rows[2] == r"&\quad \text{where } " + CLAUSES[text]


def in_latex(statement: Statement) -> Line:
    return statement_line(statement, writing=partial(Typesetter, Latex()))


def in_mathml(statement: Statement) -> Line:
    """The line in MathML, as the LaTeX of the signs that are seen."""
    line = statement_line(statement, writing=partial(Typesetter, MathML()))
    return Line(as_latex(line.left), as_latex(line.right), [as_latex(clause) for clause in line.clauses])


WAYS = {"latex": in_latex, "mathml": in_mathml}
SCALARS = {"a": 0.75, "b": 1.5, "c": 2.25}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", [t for t in EXPRESSIONS if t != "(-2)^(1/3)"])
def test_expressions_keep_their_value(text: str, way: str) -> None:
    """Every expression of the printer's tests, where a lost parenthesis would change the value."""
    formula = pb.formula(f"y = {text} where a scalar, b scalar, c scalar, m: 3")
    given = {**SCALARS, "m": np.array([0.5, -2.0, 1.25])}
    expected = formula(**{n: given[n] for n in [*formula.block.scalars, *formula.block.inputs]})
    assert evaluate(formula.block, given, {}, WAYS[way])["y"] == pytest.approx(expected, rel=1e-12, nan_ok=True)


def derived(case: Case) -> list[pb.Formula]:
    """A formula with its gradients, its Jacobians and its JVP."""
    formula = case.formula()
    return [formula, formula.jvp(), *(d(name) for name in case.floats for d in (formula.vjp, formula.derivative))]


def given(case: Case, formula: pb.Formula) -> tuple[dict[str, Any], dict[str, int]]:
    """Floats for every input of a formula that was derived from a case, and its sizes."""
    arrays = {name: _floats(array) for name, array in case.arrays().items()}
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    sizes = bind_sizes(case.formula().block, shapes, case.sizes)
    rng = np.random.default_rng(1)
    for name, tensor in formula.block.inputs.items():
        if name not in arrays:
            arrays[name] = rng.normal(size=[evaluate_size(axis, sizes) for axis in tensor.axes])
    return {name: arrays[name] for name in [*formula.block.inputs, *formula.block.scalars]}, sizes


def _floats(array: Any) -> Any:
    return array if getattr(array, "dtype", None) == np.int64 else np.asarray(array, dtype=float)


SMALL = [case for case in CASES if not case.id.startswith("conv1d") or "pad1" in case.id]
RAN: list[int] = []


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.id)
def test_what_is_printed_has_the_value_of_the_formula(case: Case) -> None:
    """A formula, its gradients, Jacobians and JVP: printed, read back from LaTeX or MathML, and computed in loops."""
    for number, formula in enumerate(derived(case)):
        arrays, sizes = given(case, formula)
        expected = engines.run(formula.block, arrays, sizes)
        found = evaluate(formula.block, arrays, sizes, (in_latex, in_mathml)[number % 2])
        assert found.keys() == expected.keys()
        for name, value in found.items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-9, atol=1e-12, err_msg=str(formula))
        RAN.append(1)


def test_all_formulas_ran() -> None:
    assert len(RAN) == 0 or len(RAN) >= 300  # none, where single tests are picked


class NoParentheses(Typesetter):
    def parens(self, text: str) -> str:
        return text


class UpsideDown(Typesetter):
    def over(self, above: Any, below: Any) -> str:
        return super().over(below, above or [])


class BareIndices(Typesetter):
    def stands_alone(self, index: Any) -> bool:
        return True


class NoPads(Typesetter):
    def pads(self, tensor: str, value: Any) -> str:
        return super().pads(tensor, 7 * value)


class NoGuards(Typesetter):
    def condition(self, guards: Any) -> str:
        return super().condition(guards[:1])


@pytest.mark.parametrize(
    ("mutant", "text"),
    [
        (NoParentheses, "y[i] = x[i]*(x[i] + u[i])"),
        (UpsideDown, "y[i] = x[i]/u[i]"),
        (BareIndices, "y[i] = x[5-i]*u[i]"),
        (NoPads, "y[i] = x[i+1] where x pads 1, i < 6"),
        (NoGuards, "y[i] = sum(j<6) [j > 1 and j < 3]*x[j]*u[i]"),
    ],
)
def test_planted_mutants_are_seen(mutant: type[Typesetter], text: str) -> None:
    formula = pb.formula(text, x="6", **({"u": "6"} if "u[" in text else {}))
    arrays = {name: np.arange(2.0, 8.0) ** (2 if name == "x" else 1) for name in formula.inputs}
    expected = formula(**arrays)

    def same(maker: type[Typesetter]) -> bool:
        def printed(statement: Statement) -> Line:
            return statement_line(statement, writing=partial(maker, Latex()))

        try:
            found = evaluate(formula.block, arrays, {}, printed)["y"]
        except AssertionError:
            return False
        return np.allclose(found, expected)

    assert same(Typesetter) and not same(mutant)


# ------------------------------------------------------------------------------------------------- structure


def names_in(formula: pb.Formula) -> set[str]:
    block = formula.block
    return {*block.inputs, *block.scalars, *block.functions, *(s.target for s in block.statements)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_latex_and_mathml_are_well_formed(case: Case) -> None:
    """Braces and fences close, every name occurs, every statement has its row."""
    for formula in derived(case):
        text = formula.latex()
        depth = 0
        for sign in re.sub(r"\\[{}]", "", text):
            depth += (sign == "{") - (sign == "}")
            assert depth >= 0, text
        assert depth == 0 and text.count(r"\left") == text.count(r"\right"), text
        assert names_in(formula) <= {name for kind, name in tokens(text) if kind in ("name", "function")}, text
        assert text.count(" &= ") == len(formula.block.statements) or "aligned" not in text

        math = ET.fromstring(formula.mathml())
        assert math.tag == ELEMENT + "math"
        assert len(math.findall(f"./{ELEMENT}mtable/{ELEMENT}mtr")) == max(1, text.count(r"\\" + "\n") + 1)
        shown = {element.text for element in math.iter(ELEMENT + "mi")}
        assert {name.replace("'", "′") for name in names_in(formula)} - shown == set()
        for element in math.iter():
            takes = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "msubsup": 3, "munderover": 3}
            tag = element.tag.removeprefix(ELEMENT)
            assert len(element) == takes.get(tag, len(element)), tag


@pytest.mark.parametrize("seed", range(150))
def test_latex_and_mathml_have_the_same_signs(seed: int) -> None:
    """Random statements: both ways of writing show the same signs in the same order, and the reader takes them all."""
    for statement in Maker(seed).block().statements:
        one, two = in_latex(statement), in_mathml(statement)
        for left, right in ((one.left, two.left), (one.right, two.right), *zip(one.clauses, two.clauses, strict=True)):
            assert _signs(left) == _signs(right), (left, right)
        reader = Reader(one.right, {})
        reader.expr()
        assert reader.kind == "end", one.right


def _signs(tex: str) -> list[str]:
    return ["sigmoid" if sign == ("function", "sigma") else sign[1] for sign in tokens(tex)]


def test_greek_letters_have_their_signs() -> None:
    """The reader finds the name of a letter by what Unicode calls it."""
    assert len(GREEK) == 34
    for name in GREEK:
        assert Latex().name(name) == "\\" + name
        assert as_latex(MathML().name(name)).strip() == "\\" + name


def test_formulas_show_themselves() -> None:
    formula = pb.formula("y[i] = x[i]/u[i]")
    assert formula._repr_latex_() == rf"$\displaystyle {formula.latex()}$"
    assert formula._repr_html_() == formula.mathml()
    assert "where" in formula.mathml() and "where" not in formula.mathml(where=False)


KATEX = os.environ.get("KATEX")  # the folder of the npm package katex
COMPILE = """
const katex = require(process.argv[1])
for (const text of JSON.parse(require('fs').readFileSync(0, 'utf8')))
    try { katex.renderToString(text, {displayMode: true, throwOnError: true, strict: 'error'}) }
    catch (error) { console.log(error.message + '\\n' + text) }
"""


@pytest.mark.skipif(not KATEX, reason="set KATEX to the folder of the npm package katex")
def test_katex_compiles_everything() -> None:
    texts = [formula.latex() for case in CASES for formula in derived(case)]
    texts += [pb.formula(text).latex() for text in [*PRINTED, *CLAUSES]]
    texts += [latex_statement(statement) for seed in range(300) for statement in Maker(seed).block().statements]
    assert len(texts) > 1000
    ran = subprocess.run(["node", "-e", COMPILE, str(KATEX)], input=json.dumps(texts), capture_output=True, text=True)
    assert ran.returncode == 0 and not ran.stdout, ran.stdout + ran.stderr
    wrong = subprocess.run(["node", "-e", COMPILE, str(KATEX)], input='["\\\\frac{a"]', capture_output=True, text=True)
    assert "parse error" in wrong.stdout, "the compiler refuses what is not LaTeX"
