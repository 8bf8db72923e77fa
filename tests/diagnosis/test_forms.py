"""The forms in which a backward may come: functions, objects, caches, keywords, JVPs, chains, PyTorch, JAX, a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import paperback as pb
from paperback.cli.main import main
from paperback.diagnosis import DoctorError, assert_gradient, doctor
from paperback.diagnosis.arrays import Array

X = np.random.default_rng(0).standard_normal((3, 4))
W = np.random.default_rng(1).standard_normal((4, 2))


def affine(x: Array, w: Array) -> Array:
    return x @ w


def affine_backward(g: Array, x: Array, w: Array) -> tuple[Array, Array]:
    return g @ w.T, x.T @ g


class Square:
    def forward(self, x: Array) -> Array:
        self.x = x
        return x**2

    def backward(self, g: Array) -> Array:
        return 2 * self.x * g


class Halved(Square):
    def backward(self, g: Array) -> Array:
        return self.x * g


def cached(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
    return x @ w, (x, w)


def cached_backward(dout: Array, cache: tuple[Array, Array]) -> tuple[Array, Array]:
    x, w = cache
    return dout @ w.T, x.T @ dout


def with_index(x: Array, label: Array) -> Array:
    return x[np.arange(len(x)), label]


def with_index_backward(g: Array, x: Array, label: Array) -> tuple[Array, None]:
    dx = np.zeros_like(x)
    dx[np.arange(len(x)), label] = g
    return dx, None


@pytest.mark.parametrize(
    ("forward", "backward", "args"),
    [
        (affine, affine_backward, (X, W)),
        (affine, lambda g, x, w: [g @ w.T, x.T @ g], [X, W]),
        (affine, lambda g, x, w: {"w": x.T @ g, "x": g @ w.T}, {"x": X, "w": W}),
        (Square(), None, X),
        (cached, cached_backward, (X, W)),
        (with_index, with_index_backward, (X, np.array([0, 3, 1]))),
        (with_index, lambda g, x, label: with_index_backward(g, x, label)[0], (X, np.array([0, 3, 1]))),
        (lambda x: (np.sin(x), np.cos(x)), lambda g, x: g[0] * np.cos(x) - g[1] * np.sin(x), (X,)),
        (lambda x: float(x**2), lambda g, x: 2 * x * g, (3.0,)),
        (lambda x: np.sum(x**2), lambda g, x: 2 * x * g, ([1.0, 2.0, 4.0],)),
        (lambda x: np.sum(x**2, 1), lambda g, x: 2 * x * g[:, None], ([[1.0, 2.0], [4.0, 5.0], [0.5, 3.0]],)),
        (lambda *, x, w: x @ w, lambda g, *, x, w: affine_backward(g, x, w), {"x": X, "w": W}),
    ],
)
def test_every_form_is_taken(forward: Any, backward: Any, args: Any) -> None:
    report = doctor(forward, backward, args)
    assert report.ok and report.score == 1.0, str(report)


def test_a_layer_that_saves_is_judged() -> None:
    report = doctor(Halved(), args=X)
    assert report.pattern == "factor" and report.findings[0].fix == "multiply by 2"
    assert report.grade == "right up to 1/2 times the true one" and 0 < report.score < 1


def test_wrt_chooses_arguments() -> None:
    report = doctor(affine, lambda g, x, w: (0 * x, x.T @ g), (X, W), wrt="w")
    assert report.ok and list(report.arguments) == ["w"]


def test_a_jvp_is_judged_alone_and_beside_a_backward() -> None:
    assert doctor(np.sin, None, (X,), jvp=lambda t, x: t * np.cos(x)).ok
    assert doctor(np.sin, lambda g, x: g * np.cos(x), (X,), jvp=lambda t, x: t * np.cos(x)).ok
    for backward in (None, lambda g, x: g * np.cos(x)):
        report = doctor(np.sin, backward, (X,), jvp=lambda t, x: -t * np.cos(x))
        assert report.pattern == "sign" and "jvp" in report.findings[0].patterns, str(report)


def test_the_first_wrong_layer_of_a_chain() -> None:
    relu = (lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0))
    wrong = (np.tanh, lambda g, x: g * (1 - x**2))
    report = doctor.chain([relu, Square(), wrong, relu], (X,))
    assert not report.ok and report.findings[0].argument == "layer 2 x"
    assert "layer 2 (<lambda>) is the first that is not right" in report.subject
    assert doctor.chain([relu, Square()], (X,)).ok


def test_pytorch() -> None:
    torch = pytest.importorskip("torch")

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any) -> Any:
            ctx.save_for_backward(x, w)
            return x @ w

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, w = ctx.saved_tensors
            return 2 * g @ w.T, x.T @ g

    state = torch.get_rng_state()
    report = doctor.torch(Product, (torch.tensor(X), torch.tensor(W)))
    assert report.pattern == "factor" and report.findings[0].argument == "x"
    assert torch.equal(state, torch.get_rng_state())
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh())
    report = doctor.torch(net, torch.tensor(X, dtype=torch.float32))
    assert report.ok and "parameter 0.weight" in report.arguments, str(report)


def test_a_function_of_pytorch_is_named_by_its_forward() -> None:
    torch = pytest.importorskip("torch")

    class Affine(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
            ctx.save_for_backward(x, weight)
            return x @ weight + bias

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, weight = ctx.saved_tensors
            return g @ weight.T, x.T @ g, g.sum(1)

    args = (torch.tensor(X), torch.tensor(W), torch.ones(2, dtype=torch.float64) / 3)
    for report in (doctor.torch(Affine.apply, args), doctor.torch(Affine, args), doctor(Affine, args)):
        assert list(report.arguments) == ["bias", "x", "weight"] and report.subject == "Affine"
        assert report.findings[0].sentence == (
            "the gradient of bias has shape (3,), bias has (2,): it is summed over axis 1 of the output"
        )


def test_jax() -> None:
    jax = pytest.importorskip("jax")

    @jax.custom_vjp
    def tanh(x: Any) -> Any:
        return jax.numpy.tanh(x)

    tanh.defvjp(lambda x: (jax.numpy.tanh(x),) * 2, lambda y, g: (g * (1 - y),))
    assert doctor.jax(tanh, (X,)).pattern == "wrong-derivative"
    assert doctor(tanh, args=(X,)).pattern == "wrong-derivative"
    assert doctor.jax(jax.numpy.tanh, (X,)).ok


def test_a_model_of_the_package() -> None:
    net = pb.nn.Sequential(pb.nn.Dense(3), pb.nn.ReLU(), pb.nn.Dense(2))
    model = pb.Model(net, input_shape=(4,), engine="numpy")
    report = pb.doctor.model(model, X, np.array([0, 1, 1]))
    assert report.ok and {"input", "dense_1.w", "dense_2.b"} <= set(report.arguments), str(report)


def test_assert_gradient() -> None:
    assert_gradient(affine, affine_backward, (X, W))
    with pytest.raises(AssertionError, match="factor: the gradient of x is 7 times"):
        assert_gradient(np.sin, lambda g, x: 7 * g * np.cos(x), (X,))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: doctor(affine, None, (X, W)), "doctor: needs a backward or a jvp to judge; pass"),
        (lambda: doctor(3, affine_backward, (X,)), "doctor: forward is a function, found int; pass"),
        (lambda: doctor(affine, affine_backward), "doctor: needs arguments, found none; pass doctor(forward, backw"),
        (lambda: doctor(affine, affine_backward, (X, W), wrt="z"), "doctor: wrt names an argument, found 'z'"),
        (lambda: doctor(affine, affine_backward, (X, W), budget="huge"), 'doctor: budget is "quick", "normal" or "th'),
    ],
)
def test_misuse_is_told(call: Any, message: str) -> None:
    with pytest.raises(DoctorError) as caught:
        call()
    assert str(caught.value).startswith(message)


FILE = '''
import numpy as np
def relu(x): return np.maximum(x, 0)
def relu_backward(g, x): return g * (x < 0)
def affine(x: "5x3", w: "3x4", b: "4"): return x @ w + b
def grad_affine(g, x, w, b): return g @ w.T, x.T @ g, g.sum(0)
def relu_args(): return (np.random.default_rng(0).standard_normal((3, 4)),)
'''


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE, encoding="utf-8")
    ran = CliRunner().invoke(main, ["doctor", str(path)])
    assert ran.exit_code == 1 and "grad_affine: right" in ran.output
    assert "mask-wrong-side: the gradient of x" in ran.output
    ran = CliRunner().invoke(main, ["doctor", f"{path}:affine", "--args", "x=2x3 w=3x4 b=4", "--json"])
    said = json.loads(ran.output)
    assert ran.exit_code == 0 and said["reports"]["affine"]["arguments"]["x"]["shape"] == [2, 3]
    ran = CliRunner().invoke(main, ["doctor", f"{path}:nothing"])
    assert ran.exit_code == 2 and "no pair is called nothing; there is relu, affine" in ran.output
