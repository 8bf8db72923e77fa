"""Files of courses: pairs by their names, caches, arguments by what each takes, and what is not checked, with why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from paperback.cli.main import main
from paperback.diagnosis import doctor
from paperback.diagnosis.arrays import Array

COURSE = """
import numpy as np

def affine_forward(x, w, b): return x @ w + b, (x, w, b)
def affine_backward(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=1)

def relu_forward(x): return np.maximum(0, x), x
def relu_backward(dout, cache): return dout * (cache >= 0)

def scale(x, s): return x * s
def scale_backward(g, x, s): return g * s, (g * x).sum()

def other(q): return q
def other_backward(g, q): return g

def dropout_forward(x, p): return x, None
def batchnorm_backward(dout, cache): return dout

class Dense:
    def __init__(self, i, o): self.w, self.b = np.ones((i, o)) * np.arange(1, o + 1), np.arange(1.0, o + 1)
    def forward(self, x):
        self.x = x
        return x @ self.w + self.b
    def backward(self, g):
        self.dw, self.db = self.x.T @ g, g.mean(0)
        return g @ self.w.T

class Layer:
    def forward(self, x): pass
    def backward(self, g, learning_rate): pass

class Tanh(Layer):
    def forward(self, x):
        self.x = x
        return np.tanh(x)
    def backward(self, g, learning_rate): return g * (1 - np.tanh(self.x) ** 2)

def mse(y_true, y_pred): return np.mean((y_true - y_pred) ** 2)
def mse_prime(y_true, y_pred): return 2 * (y_pred - y_true) / y_true.size

class Conv:
    def __init__(self, kernel): self.kernel = kernel
    def forward(self, x): return x
    def backward(self, g): return g

fc = Dense(5, 3)
"""


@pytest.fixture
def course(tmp_path: Path) -> str:
    path = tmp_path / "course.py"
    path.write_text(COURSE, encoding="utf-8")
    return str(path)


def test_a_file_of_a_course(course: str) -> None:
    ran = CliRunner().invoke(main, ["doctor", course, "--args", "x=4x5 w=5x3 b=3 s= y_true=4 y_pred=4"])
    assert ran.exit_code == 1
    lines = [line for line in ran.output.splitlines() if not line.startswith(" ")]
    assert [line.partition(" (")[0] for line in lines if "backward calls" in line] == [
        "affine_backward: wrong", "relu_backward: right", "scale_backward: right", "mse_prime: right",
        "Tanh: right", "Dense: wrong",
    ]  # fmt: skip
    for told in (
        "wrong-axis-sum: the gradient of b has shape (4,), b has (3,): it is summed over axis 1 of the output",
        "doubled-mean: the gradient of b is divided by 4: the batch, axis 0 of the output",
        "dropout_forward: not checked: there is no backward of it; call one dropout_backward",
        "batchnorm_backward: not checked: there is no forward of it; call one batchnorm or batchnorm_forward",
        "Conv: not checked: to make one needs kernel; make one in the file: conv = Conv(...)",
        "Layer: not checked: it is the base of Tanh; make one in the file: layer = Layer(...)",
        "other: not checked: it takes q; --args gives no q",
        "check failed: not right: affine_forward, fc",
    ):
        assert told in lines


def test_what_is_not_checked_is_in_the_data(course: str) -> None:
    ran = CliRunner().invoke(main, ["doctor", course, "--args", "x=4x5 w=5x3 b=3 s= y_true=4 y_pred=4", "--json"])
    said = json.loads(ran.stdout)
    assert set(said["reports"]) == {"affine_forward", "relu_forward", "scale", "mse", "Tanh", "fc"}
    assert set(said["skipped"]) == {"dropout_forward", "batchnorm_backward", "Conv", "Layer", "other"}


def test_nothing_that_could_be_checked_is_an_error(course: str) -> None:
    ran = CliRunner().invoke(main, ["doctor", f"{course}:scale", "--args", "z=3"])
    assert ran.exit_code == 2 and "scale: it takes x, s; --args gives no x, s" in ran.output
    ran = CliRunner().invoke(main, ["doctor", f"{course}:scale"])
    assert ran.exit_code == 2
    assert (
        'scale: no arguments are known; write a function scale_args() that returns them, or pass --args "x=3x5 s=3x5"'
        in (ran.output)
    )


X, W = np.random.default_rng(0).standard_normal((5, 3)), np.random.default_rng(1).standard_normal((3, 4))


def test_a_cotangent_may_come_last_and_a_cache_may_have_any_name() -> None:
    assert doctor(lambda x, w: x @ w, lambda x, w, dout: (dout @ w.T, x.T @ dout), (X, W)).ok
    assert doctor(lambda x, w: (x @ w, (x, w)), lambda d, kept: (d @ kept[1].T, kept[0].T @ d), (X, W)).ok
    two = doctor(
        lambda x: (np.sin(x), x.sum(0), {"x": x}), lambda da, db, kept: da * np.cos(kept["x"]) + db, (X,)
    )  # fmt: skip
    assert two.ok and two.arguments["x"].shape == (5, 3), str(two)


def test_a_derivative_may_come_without_an_upstream_gradient() -> None:
    def sigmoid_prime(x: Array) -> Array:
        return np.exp(-x) / (1 + np.exp(-x)) ** 2

    def tanh_prime(x: Array) -> Array:
        return 1 - x**2

    assert doctor(lambda x: 1 / (1 + np.exp(-x)), sigmoid_prime, (X,)).ok
    assert doctor(np.tanh, tanh_prime, (X,)).pattern == "wrong-derivative"
    both = doctor(lambda x, y: np.sum((x - y) ** 2), lambda x, y: (2 * (x - y), 2 * (x - y)), (X, X + 1))
    assert [(f.pattern, f.argument) for f in both.findings] == [("sign", "y")]


def test_gradients_in_another_order_are_told_as_such() -> None:
    report = doctor(lambda x, w: x @ w, lambda g, x, w: (x.T @ g, g @ w.T), (X, W))
    assert [f.pattern for f in report.findings] == ["swapped-arguments"] * 2
    assert {f.fix for f in report.findings} == {"they come in the order (w, x): return them in the order (x, w)"}
    y = X + 1
    report = doctor(
        lambda x, y, z: x * y**2 + z**3, lambda g, x, y, z: (2 * g * x * y, 3 * g * z**2, g * y**2), (X, y, 2 * X + y)
    )
    assert {f.fix for f in report.findings} == {"they come in the order (y, z, x): return them in the order (x, y, z)"}
