"""Optimizers: each step is PyTorch's, and each setting that cannot be is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from paperback import nn
from paperback.errors import ModelError
from paperback.learn.model import Model
from paperback.learn.optim import NORM, SGD, Adam, AdamW, Optimizer, RMSProp, from_config

STEPS = 6

CASES: list[tuple[Optimizer, Callable[[Any, Any], Any]]] = [
    (SGD(0.05), lambda torch, p: torch.optim.SGD(p, 0.05)),
    (SGD(0.05, weight_decay=0.02), lambda torch, p: torch.optim.SGD(p, 0.05, weight_decay=0.02)),
    (SGD(0.05, momentum=0.9), lambda torch, p: torch.optim.SGD(p, 0.05, momentum=0.9)),
    (
        SGD(0.05, momentum=0.8, weight_decay=0.01),
        lambda torch, p: torch.optim.SGD(p, 0.05, momentum=0.8, weight_decay=0.01),
    ),
    (SGD(0.03, momentum=0.9, nesterov=True), lambda torch, p: torch.optim.SGD(p, 0.03, momentum=0.9, nesterov=True)),
    (
        SGD(0.03, momentum=0.7, nesterov=True, weight_decay=0.1),
        lambda torch, p: torch.optim.SGD(p, 0.03, momentum=0.7, nesterov=True, weight_decay=0.1),
    ),
    (Adam(0.01), lambda torch, p: torch.optim.Adam(p, 0.01)),
    (
        Adam(0.02, beta1=0.8, beta2=0.95, eps=1e-3),
        lambda torch, p: torch.optim.Adam(p, 0.02, betas=(0.8, 0.95), eps=1e-3),
    ),
    (Adam(0.01, weight_decay=0.1), lambda torch, p: torch.optim.Adam(p, 0.01, weight_decay=0.1)),
    (AdamW(0.01, weight_decay=0.1), lambda torch, p: torch.optim.AdamW(p, 0.01, weight_decay=0.1)),
    (RMSProp(0.01), lambda torch, p: torch.optim.RMSprop(p, 0.01)),
    (
        RMSProp(0.02, alpha=0.8, eps=1e-3, weight_decay=0.1),
        lambda torch, p: torch.optim.RMSprop(p, 0.02, alpha=0.8, eps=1e-3, weight_decay=0.1),
    ),
    (RMSProp(0.01, momentum=0.7), lambda torch, p: torch.optim.RMSprop(p, 0.01, momentum=0.7)),
    (
        RMSProp(0.01, momentum=0.7, weight_decay=0.2),
        lambda torch, p: torch.optim.RMSprop(p, 0.01, momentum=0.7, weight_decay=0.2),
    ),
]
CLIPPED: list[tuple[Optimizer, Callable[[Any, Any], Any]]] = [
    (
        SGD(0.5, momentum=0.9, weight_decay=0.1, clip=0.7),
        lambda torch, p: torch.optim.SGD(p, 0.5, momentum=0.9, weight_decay=0.1),
    ),
    (SGD(0.05, clip=1e-3), lambda torch, p: torch.optim.SGD(p, 0.05)),
    (SGD(0.05, clip=1000), lambda torch, p: torch.optim.SGD(p, 0.05)),
    (AdamW(0.01, weight_decay=0.1, clip=0.7), lambda torch, p: torch.optim.AdamW(p, 0.01, weight_decay=0.1)),
    (RMSProp(0.01, clip=0.7), lambda torch, p: torch.optim.RMSprop(p, 0.01)),
]


def batches() -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    random = np.random.default_rng(3)
    return [(random.normal(size=(5, 7)).round(2), random.integers(0, 3, 5)) for _ in range(STEPS)]


@pytest.mark.parametrize(
    ("optimizer", "reference"), CASES + CLIPPED, ids=lambda v: repr(v) if isinstance(v, Optimizer) else ""
)
def test_every_step_is_that_of_torch(optimizer: Optimizer, reference: Callable[[Any, Any], Any]) -> None:
    torch = pytest.importorskip("torch")
    model = Model(nn.Sequential(nn.Dense(4), nn.Tanh(), nn.Dense(3)), (7,), seed=2, dtype="float64")
    theirs = {name: torch.tensor(np.array(a), requires_grad=True) for name, a in model.parameters.items()}
    rule = reference(torch, list(theirs.values()))
    step = model.train_step(optimizer=optimizer)
    seen = 0
    for x, y in batches():
        hidden = torch.tanh(torch.tensor(x) @ theirs["dense_1.w"] + theirs["dense_1.b"])
        loss = torch.nn.functional.cross_entropy(hidden @ theirs["dense_2.w"] + theirs["dense_2.b"], torch.tensor(y))
        rule.zero_grad()
        loss.backward()
        if optimizer.clip is not None:
            torch.nn.utils.clip_grad_norm_(list(theirs.values()), optimizer.clip)
        rule.step()
        assert step(x, y) == pytest.approx(loss.item(), rel=1e-12)
        for name, parameter in model.parameters.items():
            np.testing.assert_allclose(parameter, theirs[name].detach().numpy(), rtol=1e-9, atol=1e-12, err_msg=name)
            seen += 1
    assert seen == 4 * STEPS


def test_the_cases_cover_every_optimizer_and_branch() -> None:
    assert {type(optimizer) for optimizer, _ in CASES} == {SGD, Adam, AdamW, RMSProp}
    assert len({optimizer.formula for optimizer, _ in CASES}) == len(CASES)


def norms(clip: float) -> list[float]:
    """The norm of all gradients before each step of gradient descent with this limit."""
    model = Model(nn.Sequential(nn.Dense(4), nn.Tanh(), nn.Dense(3)), (7,), seed=2, dtype="float64")
    step, found = model.train_step(optimizer=SGD(0.5, clip=clip)), []
    for x, y in batches():
        before = dict(model.parameters)
        _, gradients = model.loss_and_gradients(x, y)
        found.append(float(np.sqrt(sum(np.sum(gradients[name] ** 2) for name in before))))
        step(x, y)
        moved = np.sqrt(sum(np.sum((model.parameters[name] - before[name]) ** 2) for name in before)) / 0.5
        assert moved == pytest.approx(min(found[-1], clip), rel=1e-5)
    return found


def test_a_step_is_never_longer_than_the_clip_and_a_shorter_one_stays() -> None:
    found = norms(1.0)
    longer = sum(norm > 1.0 for norm in found)
    assert 0 < longer < len(found)


def test_the_clip_is_statements_of_the_program() -> None:
    model = Model(nn.Sequential(nn.Dense(2)), (3,))
    page = str(model.program(optimizer=SGD(0.1, clip=0.25)))
    for line in (
        "dense_1.w.square = sum(i,j) dense_1.dw[i,j]^2",
        "gradient.norm = sqrt(dense_1.w.square + dense_1.b.square)",
        "dense_1.w.clipped[i,j] = gradient.factor*dense_1.dw[i,j]",
    ):
        assert line in page
    program = model.program(optimizer=SGD(0.1, clip=0.25))
    assert NORM in program.outputs and NORM not in model.program(optimizer=SGD(0.1)).tensors


def test_a_norm_that_overflows_is_refused_and_not_taken_for_no_step() -> None:
    model = Model(nn.Sequential(nn.Dense(2)), (3,))
    before = dict(model.parameters)
    with pytest.raises(ModelError) as error:
        model.train_step("mean_squared_error", SGD(0.1, clip=1.0))(np.full((2, 3), 1e8), np.full((2, 2), 1e12))
    assert "the gradient's norm would hold NaN or infinity after step 1" in str(error.value)
    assert all(model.parameters[name] is array for name, array in before.items())


def test_frozen_gradients_do_not_count_for_the_norm() -> None:
    x, y = batches()[0]
    model = Model(nn.Sequential(nn.Dense(4), nn.Tanh(), nn.Dense(3)), (7,), seed=2, dtype="float64")
    model.freeze("dense_1", "dense_2.w")
    before = np.array(model.parameters["dense_2.b"])
    model.train_step(optimizer=SGD(1.0, clip=0.01))(x, y)
    assert np.linalg.norm(model.parameters["dense_2.b"] - before) == pytest.approx(0.01, rel=1e-3)
    model.freeze("dense_2.b")
    model.train_step(optimizer=SGD(1.0, clip=0.01))(x, y)


@pytest.mark.parametrize("optimizer", [optimizer for optimizer, _ in CASES + CLIPPED], ids=repr)
def test_settings_survive_json(optimizer: Optimizer) -> None:
    assert from_config(optimizer.config()) == optimizer


def test_the_formulas_are_those_on_paper() -> None:
    assert SGD(0.1).formula == "w = w[] - lr*g[]"
    assert SGD(0.1, momentum=0.9).formula.splitlines() == ["u = 0.9*v[] + g[]", "v = u", "w = w[] - lr*u"]
    assert "0.00000001" in Adam().formula


ERRORS: list[tuple[Callable[[], object], str]] = [
    (
        lambda: from_config({"class": "Magic"}),
        "optimizer: needs one of SGD, RMSProp, Adam, AdamW, found 'Magic'; if the class is your own, pass "
        "kinds=[Magic]",
    ),
    (lambda: from_config({}), "optimizer: needs one of SGD, RMSProp, Adam, AdamW, found None"),
    (
        lambda: from_config({"class": "SGD", "lr": 0.1, "speed": 3}),
        "SGD: takes clip, lr, momentum, nesterov, weight_decay, found speed",
    ),
]


@pytest.mark.parametrize(("make", "message"), ERRORS, ids=[message[:40] for _, message in ERRORS])
def test_settings_that_cannot_be(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ModelError) as error:
        make()
    assert str(error.value) == message
