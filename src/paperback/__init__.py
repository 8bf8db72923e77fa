"""Paperback: paper in, backprop out.

A neural-network layer is one line of index notation; its shapes, its derivatives and a running network follow from it.

    pb.formula      a formula: derivatives as formulas, and it runs
    pb.LinearMap    a linear map, as formula.jacobian(...) gives it: apply, adjoint, structure, singular values
    pb.prove        is this formula that formula, for all sizes? a Verdict
    pb.nn           layers and losses
    pb.Model        a network with parameters: fit, predict, evaluate, save
    pb.optim        optimizers
    pb.doctor       is a backward of anyone's right, and if not, what is wrong with it?
    pb.rewrite      a model as another network with the same function, and a certificate of it
    pb.equivalent   are two models one function?
    pb.report       a trained model on one page of HTML
    pb.claims       the book of claims: what documents state, proved or refuted
    pb.use          which engine runs
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from paperback.arguments import absent

__version__ = "0.1.0"

_HOMES = {
    "Formula": "paperback.formulas",
    "formula": "paperback.formulas",
    "Conventions": "paperback.calculus.conventions",
    "LinearMap": "paperback.jacobians.linear",
    "Model": "paperback.learn.model",
    "load": "paperback.learn.model",
    "Verdict": "paperback.proofs.verdict",
    "prove": "paperback.proofs.prove",
    "prove_derivative": "paperback.proofs.prove",
    "assert_gradient": "paperback.diagnosis.consult",
    "doctor": "paperback.diagnosis.consult",
    "equivalent": "paperback.rewrites.equivalent",
    "report": "paperback.reports.report",
    "rewrite": "paperback.rewrites.apply",
    "use": "paperback.engines",
    "DataError": "paperback.errors",
    "EngineError": "paperback.errors",
    "FormulaError": "paperback.errors",
    "ModelError": "paperback.errors",
    "ModelWarning": "paperback.errors",
    "PaperbackError": "paperback.errors",
}
_MODULES = {
    "nn": "paperback.nn",
    "optim": "paperback.learn.optim",
    "data": "paperback.data",
    "claims": "paperback.claims",
}

__all__ = [
    "Conventions",
    "DataError",
    "EngineError",
    "Formula",
    "FormulaError",
    "LinearMap",
    "Model",
    "ModelError",
    "ModelWarning",
    "PaperbackError",
    "Verdict",
    "__version__",
    "assert_gradient",
    "claims",
    "data",
    "doctor",
    "equivalent",
    "formula",
    "load",
    "nn",
    "optim",
    "prove",
    "prove_derivative",
    "report",
    "rewrite",
    "use",
]

if TYPE_CHECKING:
    from paperback import claims, data, nn
    from paperback.calculus.conventions import Conventions
    from paperback.diagnosis.consult import assert_gradient, doctor
    from paperback.engines import use
    from paperback.errors import DataError, EngineError, FormulaError, ModelError, ModelWarning, PaperbackError
    from paperback.formulas import Formula, formula
    from paperback.jacobians.linear import LinearMap
    from paperback.learn import optim
    from paperback.learn.model import Model, load
    from paperback.proofs.prove import prove, prove_derivative
    from paperback.proofs.verdict import Verdict
    from paperback.reports.report import report
    from paperback.rewrites.apply import rewrite
    from paperback.rewrites.equivalent import equivalent


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = import_module(_MODULES[name])
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        homes = ["paperback.nn", "paperback.optim", "paperback.data", "paperback.learn"]
        if name.startswith("_") or find_spec(f"paperback.{name}"):  # Python asks, or is about to import a module
            homes = []
        for home in homes:
            if name in import_module(_MODULES.get(home.removeprefix("paperback."), home)).__all__:
                raise AttributeError(f"paperback has no {name}; did you mean {home}.{name}?", name=name)
        raise absent("paperback", name, [*__all__, *_MODULES])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
