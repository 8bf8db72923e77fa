"""Losses with settings, and weights: values and gradients against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.nn.test_losses import scores  # noqa: E402

from paperback.engines import numpy as engine  # noqa: E402
from paperback.errors import ModelError  # noqa: E402
from paperback.nn.losses import LOSSES, Loss, attach, huber, softmax_cross_entropy  # noqa: E402
from paperback.program.backward import gradients, prune  # noqa: E402

F = torch.nn.functional
RNG = np.random.default_rng(17)
Z = RNG.permutation(30).reshape(5, 2, 3) / 8 - 1.7
SHARES = RNG.dirichlet(np.ones(3), (5, 2))
SHARES[0, 0] = [0, 1, 0]
CLASSES = RNG.integers(0, 3, (5, 2))
WEIGHTS = np.array([0.5, 2.0, 0.0])
SIGNS = RNG.choice([-1.0, 1.0], Z.shape)


def last(function: Callable[..., Any], z: Any, *labels: Any, **settings: Any) -> Any:
    return function(z.movedim(-1, 1), *labels, **settings)


def of_shares(**settings: Any) -> Callable[[Any, Any], Any]:
    return lambda z, y: last(F.cross_entropy, z, y.movedim(-1, 1), reduction="none", **settings)


def of_classes(**settings: Any) -> Callable[[Any, Any], Any]:
    return lambda z, y: last(F.cross_entropy, z, y, reduction="none", **settings)


U = torch.from_numpy(WEIGHTS)
CASES: list[tuple[str, Loss, np.ndarray, Callable[[Any, Any], Any]]] = [
    ("probability", LOSSES["probability_cross_entropy"], SHARES, lambda z, y: F.binary_cross_entropy(
        torch.sigmoid(z), y, reduction="none")),
    ("kl", LOSSES["kl_divergence"], SHARES, lambda z, y: F.kl_div(F.log_softmax(z, -1), y, reduction="none").sum(-1)),
    ("hinge", LOSSES["hinge"], SIGNS, lambda z, y: torch.clamp(1 - z * y, min=0)),
    ("huber", LOSSES["huber"], SHARES, lambda z, y: F.huber_loss(z, y, reduction="none")),
    ("huber-delta", huber(0.3), SHARES, lambda z, y: F.huber_loss(z, y, reduction="none", delta=0.3)),
    ("smoothing", softmax_cross_entropy(0.1), CLASSES, of_classes(label_smoothing=0.1)),
    ("smoothing-shares", softmax_cross_entropy(0.3), SHARES, of_shares(label_smoothing=0.3)),
    ("weights", softmax_cross_entropy(class_weights=WEIGHTS), CLASSES, of_classes(weight=U)),
    ("weights-shares", softmax_cross_entropy(class_weights=WEIGHTS), SHARES, of_shares(weight=U)),
    ("both", softmax_cross_entropy(0.1, WEIGHTS), CLASSES, of_classes(weight=U, label_smoothing=0.1)),
]  # fmt: skip


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "sample-weights"])
@pytest.mark.parametrize(("loss", "y", "reference"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_value_and_gradient_are_pytorchs(loss: Loss, y: np.ndarray, reference: Any, weighted: bool) -> None:
    kind = loss.labels[0] if y.ndim == 2 or len(loss.labels) == 1 else "distribution"
    probabilities = loss.name == "probability_cross_entropy"
    z = 1 / (1 + np.exp(-Z)) if probabilities else Z
    program = attach(scores(*z.shape[1:]), "z", loss, label=kind, weights=weighted)
    program, held = gradients(program, "loss", ["z"])
    run = engine.compile(prune(replace(program, outputs=("loss", held["z"]))), dtype="float64")
    weight = RNG.integers(0, 9, len(z)) / 4
    found = run({"z": z, "label": y, **({"weight": weight} if weighted else {})})
    theirs = torch.tensor(z, requires_grad=True)
    entries = reference(torch.logit(theirs) if probabilities else theirs, torch.from_numpy(y))
    examples = entries.reshape(len(z), -1).mean(1)
    expected = (examples * torch.from_numpy(weight) if weighted else examples).mean()
    expected.backward()
    np.testing.assert_allclose(found["loss"], expected.item(), rtol=1e-12)
    np.testing.assert_allclose(found[held["z"]], theirs.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_certainty_that_is_right_costs_nothing() -> None:
    program = attach(scores(2), "z", "probability_cross_entropy", "none")
    z = np.array([[0.0, 1.0], [0.5, 1.0]])
    loss = engine.compile(program, dtype="float64")({"z": z, "label": np.array([[0.0, 1.0], [1.0, 0.0]])})["loss"]
    assert loss[0] == 0 and loss[1] == np.inf


def test_weights_without_a_reduction() -> None:
    for shape in [(3,), (2, 3)]:
        program = attach(scores(*shape), "z", "softmax_cross_entropy", "none", weights=True)
        plain = attach(scores(*shape), "z", "softmax_cross_entropy", "none")
        z, y = RNG.standard_normal((4, *shape)), RNG.integers(0, 3, (4, *shape[:-1]))
        weight = np.array([0.0, 1.0, 2.0, 0.5])
        one = engine.compile(program, dtype="float64")({"z": z, "label": y, "weight": weight})["loss"]
        two = engine.compile(plain, dtype="float64")({"z": z, "label": y})["loss"]
        np.testing.assert_allclose(one, weight * two, rtol=1e-14)
        assert {t.name: t.role for t in program.inputs}["weight"] == "label"


def test_class_weights_for_another_number_of_classes() -> None:
    with pytest.raises(ModelError):
        attach(scores(4), "z", softmax_cross_entropy(class_weights=WEIGHTS))
