"""What a loss is asked for: weights of examples, reductions, -lr inside the deltas, and the loss that evaluate takes.

PyTorch is the referee where a number is compared, and loops over examples where it has no such option.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import paperback as pb
from paperback import nn
from paperback.engines import compile_program

N = 7
RNG = np.random.default_rng(5)
X = RNG.standard_normal((N, 5))
CLASSES = RNG.integers(0, 3, N)
SHARES = RNG.dirichlet(np.ones(3), N)
REALS = RNG.standard_normal((N, 3))
WEIGHTS = np.array([0.5, 0.0, 2.0, 1.0, 3.25, 0.0, 0.75])


def small(last: nn.Layer | None = None, seed: int = 1) -> pb.Model:
    layers = [nn.Dense(4), nn.Tanh(), nn.Dense(3), *([last] if last else [])]
    return pb.Model(nn.Sequential(*layers), (5,), seed=seed, dtype="float64")


def by_torch(model: pb.Model, losses: Callable[[Any, Any], Any], weights: Any) -> tuple[float, dict[str, np.ndarray]]:
    """The mean over N of weight times loss, and its gradients, for the network of `small`."""
    torch = pytest.importorskip("torch")
    p = {name: torch.tensor(array, requires_grad=True) for name, array in model.parameters.items()}
    x = torch.tensor(X)
    hidden = torch.tanh(x @ p["dense_1.w"] + p["dense_1.b"])
    value = losses(torch, hidden @ p["dense_2.w"] + p["dense_2.b"])
    value = (torch.tensor(weights) * value).sum() / N
    value.backward()
    return float(value.detach()), {name: tensor.grad.numpy() for name, tensor in p.items()}


LOSSES: list[tuple[str, Any, np.ndarray, Callable[[Any, Any], Any]]] = [
    ("classes", "softmax_cross_entropy", CLASSES,
     lambda t, z: t.nn.functional.cross_entropy(z, t.tensor(CLASSES), reduction="none")),
    ("shares", "softmax_cross_entropy", SHARES,
     lambda t, z: t.nn.functional.cross_entropy(z, t.tensor(SHARES), reduction="none")),
    ("logits", "binary_cross_entropy", SHARES,
     lambda t, z: t.nn.functional.binary_cross_entropy_with_logits(z, t.tensor(SHARES), reduction="none").mean(1)),
    ("reals", "mean_squared_error", REALS,
     lambda t, z: t.nn.functional.mse_loss(z, t.tensor(REALS), reduction="none").mean(1)),
    ("half", nn.mean_squared_error(half=True), REALS,
     lambda t, z: t.nn.functional.mse_loss(z, t.tensor(REALS), reduction="none").mean(1) / 2),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "y", "reference"), [case[1:] for case in LOSSES], ids=[case[0] for case in LOSSES])
def test_weights_multiply_the_losses_of_examples(loss: Any, y: np.ndarray, reference: Any) -> None:
    model = small()
    value, gradients = by_torch(model, reference, WEIGHTS)
    found, got = model.loss_and_gradients(X, y, loss=loss, weights=WEIGHTS)
    assert found == pytest.approx(value, rel=1e-12)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(got[name], gradient, rtol=1e-10, atol=1e-14)
    assert model.evaluate(X, y, loss=loss, weights=WEIGHTS, batch_size=3)["loss"] == pytest.approx(value, rel=1e-12)
    step = model.train_step(loss=loss, optimizer=pb.optim.SGD(0.5))
    before = dict(model.parameters)
    assert step(X, y, WEIGHTS) == pytest.approx(value, rel=1e-12)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(model.parameters[name], before[name] - 0.5 * gradient, rtol=1e-10, atol=1e-14)
    assert value != pytest.approx(by_torch(small(), reference, np.ones(N))[0], rel=1e-3)


def test_binary_cross_entropy_with_weights_is_that_of_pytorch() -> None:
    """Its own option `weight` divides by N as well."""
    torch = pytest.importorskip("torch")
    model = pb.Model(nn.Dense(1), (5,), dtype="float64")
    y = (CLASSES > 0).astype(float)[:, None]
    z = torch.tensor(model.predict(X))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        z, torch.tensor(y), weight=torch.tensor(WEIGHTS)[:, None]
    )
    found, _ = model.loss_and_gradients(X, y, loss="binary_cross_entropy", weights=WEIGHTS)
    assert found == pytest.approx(float(expected), rel=1e-12)


def test_fit_follows_its_weights_through_the_shuffle() -> None:
    """fit takes the steps that train_step takes on the same batches, and its loss is their mean."""
    one, other = small(), small()
    history = one.fit(X, CLASSES, optimizer=pb.optim.SGD(0.3), batch_size=3, epochs=1, shuffle=False, weights=WEIGHTS)
    step = other.train_step(optimizer=pb.optim.SGD(0.3))
    sums = [step(X[i : i + 3], CLASSES[i : i + 3], WEIGHTS[i : i + 3]) * len(X[i : i + 3]) for i in (0, 3, 6)]
    assert history[0].loss == pytest.approx(sum(sums) / N, rel=1e-12)
    for name, array in one.parameters.items():
        assert np.array_equal(array, other.parameters[name])
    shuffled, again = small(), small()
    order = np.array([4, 2, 0, 6, 1, 5, 3])
    shuffled.fit(X[order], CLASSES[order], batch_size=N, weights=WEIGHTS[order], optimizer=pb.optim.SGD(0.3))
    again.fit(X, CLASSES, batch_size=N, weights=WEIGHTS, optimizer=pb.optim.SGD(0.3))
    for name, array in shuffled.parameters.items():
        np.testing.assert_allclose(array, again.parameters[name], rtol=1e-12, atol=1e-15)


def test_a_weight_of_0_leaves_an_example_out_and_one_of_2_counts_twice() -> None:
    keep = np.flatnonzero(WEIGHTS)
    model = small()
    value, _ = model.loss_and_gradients(X, CLASSES, weights=(WEIGHTS > 0).astype(float))
    assert value * N == pytest.approx(model.loss_and_gradients(X[keep], CLASSES[keep])[0] * len(keep), rel=1e-12)
    twice = np.concatenate([X, X[:1]]), np.concatenate([CLASSES, CLASSES[:1]])
    value, _ = model.loss_and_gradients(X, CLASSES, weights=[2, *[1] * (N - 1)])
    assert value * N == pytest.approx(model.loss_and_gradients(*twice)[0] * (N + 1), rel=1e-12)


def test_a_batch_whose_weights_are_all_0_moves_nothing() -> None:
    model, weights = small(), np.array([0, 0, 0, 1.0, 1, 1, 1])
    start = dict(model.parameters)
    seen: list[float] = []
    history = model.fit(X[:6], CLASSES[:6], batch_size=3, shuffle=False, weights=weights[:6])
    seen.append(history.curve[0].loss)
    assert seen == [0.0]
    assert any(not np.array_equal(array, start[name]) for name, array in model.parameters.items())


EACH = "weights needs one number for each of 7 examples, found shape"
BAD: list[tuple[Any, str]] = [
    (np.ones(3), f"{EACH} (3,); pass an array of shape (7,)"),
    (np.ones((7, 1)), f"{EACH} (7, 1); pass an array of shape (7,)"),
    (-WEIGHTS, "weights are at least 0, weights[0] is -0.5; replace it, by 0 perhaps"),
    (np.zeros(7), "weights are all 0, so no example counts; give some example a weight"),
    (np.full(7, np.nan), "weights needs finite numbers in float64, weights[0] is nan; remove or replace it"),
    (["a"] * 7, "weights needs numbers, found an array of <U1; pass an array of numbers"),
]


@pytest.mark.parametrize(("weights", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_weights_that_do_not_fit(weights: Any, message: str) -> None:
    model = small()
    calls: dict[str, Callable[[], object]] = {
        "fit": lambda: model.fit(X, CLASSES, weights=weights),
        "evaluate": lambda: model.evaluate(X, CLASSES, weights=weights),
        "train_step": lambda: model.train_step()(X, CLASSES, weights),
        "loss_and_gradients": lambda: model.loss_and_gradients(X, CLASSES, weights=weights),
    }
    before = model._state
    for where, call in calls.items():
        with pytest.raises(pb.ModelError) as caught:
            call()
        assert str(caught.value) == f"{where}: {message}"
    assert model._state is before


# --- reductions -------------------------------------------------------------------------------------------------------


def test_reductions() -> None:
    model = small()
    loss = nn.Loss.named("softmax_cross_entropy")
    each = np.array([model.loss_and_gradients(X[i : i + 1], CLASSES[i : i + 1])[0] for i in range(N)])
    found = {r: model.evaluate(X, CLASSES, loss=loss.reduced(r), batch_size=3)["loss"] for r in ("mean", "sum", "none")}
    np.testing.assert_allclose(found["none"], each, rtol=1e-12)
    assert found["sum"] == pytest.approx(each.sum(), rel=1e-12)
    assert found["mean"] == pytest.approx(each.mean(), rel=1e-12)
    total, gradients = model.loss_and_gradients(X, CLASSES, loss=loss.reduced("sum"))
    assert total == pytest.approx(each.sum(), rel=1e-12)
    mean, means = model.loss_and_gradients(X, CLASSES, loss=loss)
    np.testing.assert_allclose(gradients["dense_1.w"], N * means["dense_1.w"], rtol=1e-12)
    assert mean == pytest.approx(each.mean(), rel=1e-12)


def test_fit_with_the_sum_records_the_sum() -> None:
    loss = nn.Loss.named("softmax_cross_entropy").reduced("sum")
    one, other = small(), small()
    history = one.fit(X, CLASSES, loss=loss, optimizer=pb.optim.SGD(0.1), batch_size=N, validation=(X, CLASSES))
    mean = other.fit(X, CLASSES, optimizer=pb.optim.SGD(0.1 * N), batch_size=N)
    assert history[0].loss == pytest.approx(N * mean[0].loss, rel=1e-12)
    assert history[0].val_loss == pytest.approx(N * other.evaluate(X, CLASSES)["loss"], rel=1e-12)
    np.testing.assert_allclose(one.parameters["dense_1.w"], other.parameters["dense_1.w"], rtol=1e-10, atol=1e-14)


def test_no_gradient_of_many_numbers() -> None:
    model, loss = small(), nn.Loss.named("softmax_cross_entropy").reduced("none")
    message = (
        'softmax_cross_entropy: a gradient needs one number for a batch, reduction "none" leaves one for each example; '
        'pass the loss without reduced("none")'
    )
    for call in (
        lambda: model.fit(X, CLASSES, loss=loss),
        lambda: model.train_step(loss=loss)(X, CLASSES),
        lambda: model.loss_and_gradients(X, CLASSES, loss=loss),
        lambda: model.program(loss=loss),
    ):
        with pytest.raises(pb.ModelError) as caught:
            call()
        assert str(caught.value) == message
    with pytest.raises(pb.ModelError, match='reduction must be "mean", "sum" or "none", not \'median\''):
        loss.reduced("median")
    with pytest.raises(pb.ModelError, match="half must be True or False, not 2"):
        nn.mean_squared_error(half=2)  # type: ignore[arg-type]


# --- -lr inside the deltas --------------------------------------------------------------------------------------------


def test_deltas_with_the_learning_rate_inside_make_the_same_step() -> None:
    """The program runs as it prints: its backward lines are -lr times the gradients, its updates add them."""
    model, lr = small(), 0.25
    program = model.program(optimizer=pb.optim.SGD(lr), deltas="step")
    backward = {s.target for s in program.statements if s.target in program.adjoints}
    shown = type(program)(program.tensors, program.statements, (*program.outputs, *backward), program.updates)
    given = {"input": X, "label": CLASSES, "lr": lr, **model.parameters}
    results = compile_program(shown, "float64", "numpy")(given)
    _, gradients = model.loss_and_gradients(X, CLASSES)
    for name, gradient in gradients.items():
        if name != "input":
            layer, _, own = name.partition(".")
            np.testing.assert_allclose(results[f"{layer}.d{own}"], -lr * gradient, rtol=1e-12)
            np.testing.assert_allclose(results[name], model.parameters[name] - lr * gradient, rtol=1e-12)
    page = str(program).split("update:")[1]
    assert "lr" not in page
    assert "dense_1.w[i,j] = dense_1.w[i,j] + dense_1.dw[i,j]" in page
    assert str(model.program()) != str(program)


def test_deltas_are_asked_for_by_name() -> None:
    with pytest.raises(pb.ModelError) as caught:
        small().program(deltas="eta")
    assert str(caught.value) == 'program: deltas is "gradient" or "step", found \'eta\'; leave it out for "gradient"'
    for rule in (pb.optim.Adam(), pb.optim.SGD(0.1, momentum=0.9), pb.optim.SGD(0.1, clip=1)):
        with pytest.raises(pb.ModelError, match="-lr can be inside the deltas of plain gradient descent only"):
            small().program(optimizer=rule, deltas="step")


# --- the loss of the last training ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss",
    [nn.mean_squared_error(), nn.huber(0.5), nn.Loss.of("J = abs(z[] - y[])", name="absolute"),
     nn.Loss.named("mean_squared_error").reduced("sum")],
    ids=lambda loss: f"{loss.name}-{loss.reduction}",
)  # fmt: skip
def test_evaluate_takes_the_loss_of_the_last_training(loss: nn.Loss, tmp_path: Path) -> None:
    model = small()
    model.fit(X, REALS, loss=loss, batch_size=N)
    expected = model.evaluate(X, REALS, loss=loss)
    assert model.evaluate(X, REALS) == expected
    model.save(tmp_path / "model")
    assert pb.load(tmp_path / "model").evaluate(X, REALS) == expected
    assert model.loss_and_gradients(X, REALS)[0] == model.loss_and_gradients(X, REALS, loss=loss)[0]


# --- a softmax that is taken twice ------------------------------------------------------------------------------------


def test_a_softmax_before_the_loss_that_takes_one_is_told_once() -> None:
    model = small(nn.Softmax())
    with pytest.warns(pb.ModelWarning) as caught:
        model.fit(X, CLASSES, batch_size=N)
        model.evaluate(X, CLASSES)
    assert [str(each.message) for each in caught] == [
        "fit: softmax_cross_entropy takes scores, softmax_1 gives probabilities, so the softmax is taken twice; leave "
        "the layer out, and take the softmax of predict's scores"
    ]
    assert caught[0].filename == __file__
    with pytest.warns(pb.ModelWarning, match="so the sigmoid is taken twice"):
        small(nn.Sigmoid()).evaluate(X, SHARES, loss="binary_cross_entropy")


@pytest.mark.parametrize(
    ("last", "loss", "y"),
    [
        (None, "softmax_cross_entropy", CLASSES),
        (nn.LogSoftmax(), "softmax_cross_entropy", CLASSES),  # its logsumexp is 0: nothing is taken twice
        (nn.Sigmoid(), "probability_cross_entropy", SHARES),
        (nn.Softmax(), "mean_squared_error", REALS),
    ],
)
def test_what_is_no_mistake_is_not_told(last: nn.Layer | None, loss: str, y: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(last).fit(X, y, loss=loss, batch_size=N)


# --- optimizers of one's own ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SignDescent(pb.optim.Optimizer):
    """w' = w - lr*sign(v), v a running mean of the gradient."""

    lr: float = 0.01
    past: float = 0.9

    state = ("v",)

    @property
    def formula(self) -> str:
        return f"u = {self.past}*v[] + {1 - self.past:.6f}*g[]\nv = u\nw = w[] - lr*sign(u)"


def test_an_optimizer_of_ones_own_is_saved_and_loaded(tmp_path: Path) -> None:
    through, stopped = small(), small()
    through.fit(X, CLASSES, optimizer=SignDescent(), batch_size=3, epochs=4)
    stopped.fit(X, CLASSES, optimizer=SignDescent(), batch_size=3, epochs=2)
    stopped.save(tmp_path / "model")
    with pytest.raises(pb.ModelError) as caught:
        pb.load(tmp_path / "model")
    assert str(caught.value).endswith("found 'SignDescent'; if the class is your own, pass kinds=[SignDescent]")
    loaded = pb.load(tmp_path / "model", kinds=[SignDescent])
    loaded.fit(X, CLASSES, optimizer=SignDescent(), batch_size=3, epochs=2)
    for name, array in through.parameters.items():
        assert np.array_equal(array, loaded.parameters[name])


def test_an_optimizer_with_the_name_of_another_is_not_saved(tmp_path: Path) -> None:
    own = type("SGD", (SignDescent,), {})
    model = small()
    model.fit(X, CLASSES, optimizer=own(), batch_size=N)
    with pytest.raises(pb.ModelError, match="two kinds of optimizer are called SGD; give the class another name"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())
