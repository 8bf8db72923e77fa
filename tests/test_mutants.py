"""Planted mutants: each is a plausible mistake, and each must be caught by a law. A check that cannot fail is a defect.

A mutant replaces one function of the package. First its law must hold without it; with it, the law must break.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.calculus import formulas, test_derive
from tests.golden import test_golden, test_network_n1
from tests.learn import test_optim
from tests.nn import test_forward_torch, test_laws
from tests.nn.sample import Sample

from paperback import engines
from paperback.calculus.term import Term
from paperback.learn.optim import SGD, Adam
from paperback.nn.layers.window import Window
from paperback.notation.expr import ONE, Call, Compare, Read, bracket, const, mul

Law = Callable[[], None]


def derives(*ids: str, ties: bool = False) -> Law:
    """The derivations of these formulas against dual numbers."""

    def law() -> None:
        for name in ids:
            case = next(case for case in formulas.CASES if case.id == name)
            test_derive.test_derivatives_equal_dual_numbers(case, ties)

    return law


def torch_agrees(*ids: str) -> Law:
    """Forward and all gradients of these layer cases against PyTorch."""

    def law() -> None:
        for name in ids:
            case = next(case for case in test_laws.CASES if case.id == name)
            test_laws.test_forward_and_all_gradients_are_pytorchs(case)

    return law


def golden_network() -> None:
    test_network_n1.backward_of.cache_clear()
    test_network_n1.test_forward_is_exact(0, "numpy")
    test_network_n1.test_vjp_is_exact(0, "numpy")
    test_network_n1.test_one_step_on_the_batch()


def golden_ties() -> None:
    for ties, expected in (("split", [[Fraction(1, 3), Fraction(1, 3)], [0, Fraction(1, 3)]]),):
        test_golden.test_g18_ties_of_a_max_pool(ties, expected)


def steps_of(kind: type) -> Law:
    """Every optimizer case of one class against PyTorch's."""

    def law() -> None:
        ran = 0
        for mark in test_optim.test_every_step_is_that_of_torch.pytestmark:  # type: ignore[attr-defined]
            for case in mark.args[1] if mark.name == "parametrize" else ():
                values = getattr(case, "values", case)
                if isinstance(values[0], kind):
                    test_optim.test_every_step_is_that_of_torch(*values)
                    ran += 1
        assert ran > 0

    return law


@dataclass(frozen=True)
class Mutant:
    """`place` is "module:name" or "module:Class.name"; `make` gets what is there and gives what is planted."""

    id: str
    place: str
    make: Callable[[Any], Any]
    law: Law


def unary(name: str, derivative: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda table: {**table, name: lambda x, c: derivative(x)}


def first_factor_only(original: Any) -> Any:
    def product(self: Any, node: Any, scope: Any) -> Any:
        return [d.times(*node.factors[1:]) for d in self._of(node.factors[0], scope)]

    return product


def property_of(change: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda original: property(lambda self: change(original.fget(self)))


def changed_text(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda original: lambda *args, **kwargs: change(original(*args, **kwargs))


DIFF, ADJOINT, DISPLAY = "paperback.calculus.diff", "paperback.calculus.adjoint", "paperback.calculus.display"
DERIVE, TABLE = "paperback.calculus.derive", "paperback.calculus.functions:_UNARY"
GUARDS, NESTS, NUMPY = "paperback.calculus.guards", "paperback.calculus.nests", "paperback.engines.numpy"
LAYERS = "paperback.nn.layers"
CONV = "conv1d s2 d1 H11 P2 flip pad0"

MUTANTS = [
    # derivation
    Mutant("the product rule forgets a factor", f"{DIFF}:Differential._product", first_factor_only, derives(CONV)),
    Mutant("the power rule forgets the exponent", f"{DIFF}:scale", lambda f: lambda c, node: node, derives("flatten")),
    Mutant("tanh' without the 1", TABLE, unary("tanh", lambda x: mul(const(-1), Call("tanh", (x,)))),
           torch_agrees("tanh")),
    Mutant("sigmoid' = s", TABLE, unary("sigmoid", lambda x: Call("sigmoid", (x,))), torch_agrees("sigmoid")),
    Mutant("the relu mask on the wrong side", TABLE, unary("relu", lambda x: bracket(Compare("<", x, const(0)))),
           torch_agrees("relu")),
    Mutant("the relu mask dropped", TABLE, unary("relu", lambda x: ONE), golden_network),
    Mutant("argmax codes column by column", f"{DIFF}:_code",
           lambda f: lambda binders: f(tuple(reversed(binders))), derives("overlapping max pool")),
    Mutant("logsumexp without its softmax", f"{DIFF}:Differential._weight",
           lambda f: lambda self, node, opened, scope: ONE if node.op == "logsumexp" else f(self, node, opened, scope),
           derives("log softmax")),
    Mutant("ties split without dividing", f"{DIFF}:power", lambda f: lambda base, n: ONE if n == -1 else f(base, n),
           golden_ties),
    Mutant("ties go to all by default", f"{DIFF}:Differential.__init__",
           lambda f: lambda self, s, active, conventions, names: f(
               self, s, active, replace(conventions, ties="all"), names),
           derives("max pool", ties=True)),
    Mutant("the upstream gradient is ignored", f"{ADJOINT}:Read", lambda f: lambda *a: ONE, torch_agrees("dense")),
    Mutant("a delta of the last axis is lost", f"{ADJOINT}:delta",
           lambda f: lambda slot, target: f(slot, target)[:-1] if len(target) > 1 else f(slot, target),
           derives("average pool drops the remainder")),
    Mutant("assign instead of accumulate", f"{DERIVE}:expression", lambda f: lambda terms: f(list(terms)[-1:]),
           derives("quadratic form reads a tensor twice")),
    Mutant("gradients scaled by two", f"{DERIVE}:expression",
           lambda f: lambda terms: mul(const(2), f(terms)), golden_network),
    # elimination
    Mutant("a range guard one too long", f"{DISPLAY}:range_guards",
           lambda f: lambda affine, extent: f(affine, extent + 1), derives(CONV)),
    Mutant("guards always implied", f"{GUARDS}:Box.implies", lambda f: lambda self, guard: True, derives(CONV)),
    Mutant("guards never possible", f"{GUARDS}:Box.excludes", lambda f: lambda self, guard: True, derives(CONV)),
    Mutant("a delta solved with the wrong sign", f"{DISPLAY}:_solve",
           lambda f: lambda affine, letter: None if f(affine, letter) is None else -f(affine, letter), derives(CONV)),
    Mutant("known values with swapped axes", "paperback.calculus.naming:_Match.read",
           lambda f: lambda self, pattern, box: _reversed(f(self, pattern, box)),
           derives("sigmoid of a matrix")),
    Mutant("bare deltas solved and lost", f"{ADJOINT}:solve_bare",
           lambda f: lambda term, box: Term(term.binders, (), term.factors), derives("bilinear form", CONV)),
    Mutant("a stride phase is lost", f"{NESTS}:_phases", lambda f: lambda *a: (f(*a) or [])[:-1] or f(*a),
           torch_agrees("conv2d-stride", "conv2d-stride-axes")),
    # engine
    Mutant("the last maximum wins", f"{NUMPY}.reductions:np.greater", lambda f: np.greater_equal,
           lambda: test_pools_with_ties()),
    Mutant("overlapping parts overwrite", f"{NUMPY}.statements:_Part.into",
           lambda f: lambda self, target, arrays, scalars, add: f(self, target, arrays, scalars, False),
           lambda: test_two_reads_accumulate()),
    Mutant("an axis summed twice over", f"{NUMPY}.contract:sum_out",
           lambda f: lambda array, letters, gone: (2 * f(array, letters, gone)[0], f(array, letters, gone)[1]),
           torch_agrees("conv2d", "dense", "avgpool2d")),
    Mutant("views flipped", f"{NUMPY}.views:Form.bounds",
           lambda f: lambda self, ranges: (f(self, ranges)[1], *f(self, ranges)[1:]), golden_network),
    # layers, losses, optimizers
    Mutant("the kernel is not flipped", f"{LAYERS}.conv:correlation",
           lambda f: lambda axes, shape, flip, *rest: f(axes, shape, False, *rest), torch_agrees("conv2d-flip")),
    Mutant("pads on the wrong side", f"{LAYERS}.window:Window.pads",
           lambda f: lambda self, n: f(self, n)[::-1], torch_agrees("conv2d-pad-sides")),
    Mutant("dilation forgotten", f"{LAYERS}.window:Window.index",
           lambda f: lambda self, *a: f(Window(self.size, self.stride, 1, self.padding), *a),
           torch_agrees("conv2d-dilation")),
    Mutant("flatten with swapped axes", f"{LAYERS}.flatten:Flatten.text",
           changed_text(lambda text: replace(text, formula=text.formula.replace("x[i,j,c]", "x[i,c,j]"),
                                             axes={"x": "H C W"}) if "i,j,c" in text.formula else text),
           golden_network),
    Mutant("average pooling does not divide", f"{LAYERS}.pool:AveragePooling.pooled",
           changed_text(lambda text: text.rpartition("/")[0]), torch_agrees("avgpool2d")),
    Mutant("dropout forgets 1/keep", f"{LAYERS}.dropout:Dropout.constants",
           lambda f: property(lambda self: dict.fromkeys(f.fget(self), 1.0)), torch_agrees("dropout")),
    Mutant("biased running variance", f"{LAYERS}.batchnorm:BatchNorm.text",
           changed_text(lambda text: replace(text, update=text.update.replace(" - 1)", ")"))),
           lambda: test_forward_torch.test_batch_norm_keeps_pytorchs_running_statistics((2, 3, 5), 3)),
    Mutant("1/B forgotten", "paperback.learn.steps:attach",
           lambda f: lambda program, output, loss, **k: f(program, output, loss, reduction="sum", **k),
           golden_network),
    Mutant("SGD climbs", "paperback.learn.optim:SGD.formula", property_of(lambda t: t.replace("- lr", "+ lr")),
           steps_of(SGD)),
    Mutant("Adam without bias correction", "paperback.learn.optim:Adam.formula",
           property_of(lambda t: t.replace("a/c", "a")), steps_of(Adam)),
]  # fmt: skip


def _reversed(read: Any) -> Any:
    return Read(read.tensor, read.indices[::-1], read.pad) if isinstance(read, Read) else read


def test_pools_with_ties() -> None:
    """NumPy's gradient of a max pool with ties is the exact engine's: the first maximum takes it."""
    case = next(case for case in test_laws.CASES if case.id == "maxpool2d-overlap")
    sample = Sample(case)
    sample.given["input"] = np.floor(sample.given["input"] / 2)
    floats, exact = sample.run(sample.given), sample.run(sample.given, engine="exact")
    for name, value in floats.items():
        assert np.array_equal(value, np.asarray(exact[name]).astype(float)), name


def test_two_reads_accumulate() -> None:
    """Two windows of one statement that meet in an element add up."""
    import paperback as pb

    f = pb.formula("y[i] = x[2*i]*a[i] + x[3*i]*b[i] where i < I", x="H", a="I", b="I")
    given = {"x": np.arange(1.0, 8), "a": np.array([1.0, 2, 3]), "b": np.array([5.0, 7, 11])}
    grads = f.gradients(given, np.ones(3))
    assert grads["x"].tolist() == [6, 0, 2, 7, 3, 0, 11]


def find(place: str) -> tuple[Any, str]:
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    assert hasattr(owner, name), f"{place} is not there: the mistake would be planted nowhere"
    return owner, name


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.id for mutant in MUTANTS])
def test_mutants_are_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines._chosen, "engine", "numpy")  # which compiles nothing, and keeps no code of the original
    mutant.law()
    owner, name = find(mutant.place)
    original = vars(owner).get(name, getattr(owner, name)) if isinstance(owner, type) else getattr(owner, name)
    monkeypatch.setattr(owner, name, mutant.make(original))
    with pytest.raises(Exception):  # noqa: B017  a wrong number, or an error that stops it
        mutant.law()
    monkeypatch.undo()
    test_network_n1.backward_of.cache_clear()


def test_there_are_at_least_20_mutants() -> None:
    assert len({mutant.id for mutant in MUTANTS}) == len(MUTANTS) >= 20



