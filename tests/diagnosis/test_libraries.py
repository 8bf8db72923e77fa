"""PyTorch and JAX: their own gradients are called right, and what people pass is taken as they pass it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paperback.diagnosis import Report, doctor

torch = pytest.importorskip("torch")

from tests.diagnosis.corpus.functions_of_pytorch import FUNCTIONS, KNOWN, Called  # noqa: E402

X, W = np.random.default_rng(0).standard_normal((5, 3)), np.random.default_rng(1).standard_normal((3, 4))


def examined(called: Called, seed: int, kind: Any) -> Report:
    torch.manual_seed(seed)
    shapes, function = called
    return doctor.torch(function, *(torch.randn(*shape, dtype=kind) for shape in shapes), seed=seed)


def alarms(names: list[str], seeds: range) -> tuple[dict[str, str], int]:
    asked = [(name, seed, kind) for name in names for seed in seeds for kind in (torch.float64, torch.float32)]
    reports = {f"{name}, seed {seed}, {kind}": examined(FUNCTIONS[name], seed, kind) for name, seed, kind in asked}
    return {told: str(report) for told, report in reports.items() if not report.ok}, len(reports)


def test_a_sample_of_the_functions_of_pytorch_is_called_right() -> None:
    told, count = alarms(list(FUNCTIONS)[::9], range(1))
    assert not told and count > 20, told


@pytest.mark.long
def test_the_functions_of_pytorch_are_called_right() -> None:
    told, count = alarms(list(FUNCTIONS), range(3))
    assert not told and count == 6 * len(FUNCTIONS) > 500, told


@pytest.mark.long
@pytest.mark.parametrize("name", KNOWN)
def test_what_is_known_to_be_wrong_in_pytorch(name: str) -> None:
    """Wrong still, or mended since."""
    called, pattern = KNOWN[name]
    assert examined(called, 0, torch.float64).pattern in (pattern, None)


class Product(torch.autograd.Function):  # type: ignore[misc]
    """Its gradients come in another order than its arguments."""

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, w = ctx.saved_tensors
        return x.T @ g, g @ w.T


class Short(Product):
    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return Product.backward(ctx, g)[1]


def test_what_pytorch_does_not_take_is_explained() -> None:
    x, w = torch.tensor(X), torch.tensor(W)
    report = doctor.torch(Product, x, w)
    assert report.findings[0].fix == "they come in the order (w, x): return them in the order (x, w)"
    report = doctor.torch(Short, (x, w))
    assert report.findings[0].sentence == (
        "backward raises RuntimeError: function ShortBackward returned an incorrect number of gradients "
        "(expected 2, got 1)"
    )


def test_an_argument_may_be_called_g() -> None:
    assert doctor.torch(lambda x, g: x * g, torch.tensor(X), torch.tensor(X + 1)).ok
    assert doctor(lambda x, g: x * g, lambda dy, x, g: (dy * g, dy * x), (X, X + 1)).ok


def test_one_of_two_outputs_with_the_other_sign() -> None:
    report = doctor(lambda x: (np.sin(x), np.cos(x)), lambda g, x: g[0] * np.cos(x) + g[1] * np.sin(x), (X,))
    assert report.pattern == "sign" and "the upstream gradient of output 1 negated" in report.findings[0].sentence


def test_a_module_lays_its_own_parameters() -> None:
    """Some of PyTorch's kernels misread a weight with gaps; no module has one."""
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5))
    torch.manual_seed(0)
    report = doctor.torch(net, torch.randn(6, 3))
    assert report.ok and len(report.arguments) == 5, str(report)


def test_trees_of_jax() -> None:
    jax = pytest.importorskip("jax")

    @jax.custom_vjp
    def layer(params: Any, x: Any) -> Any:
        return {"y": x @ params["w"] + params["b"]}

    layer.defvjp(
        lambda params, x: (layer(params, x), (params, x)),
        lambda saved, g: ({"w": saved[1].T @ g["y"], "b": 2 * g["y"].sum(0)}, g["y"] @ saved[0]["w"].T),
    )
    report = doctor.jax(layer, {"w": W, "b": W[0]}, X)
    assert set(report.arguments) == {"params['b']", "params['w']", "x"}
    assert [(f.pattern, f.argument) for f in report.findings] == [("factor", "params['b']")]


def test_what_is_not_differentiated_in_jax_is_held() -> None:
    jax = pytest.importorskip("jax")
    clipped = jax.custom_vjp(lambda x, most: x * x, nondiff_argnums=(1,))
    clipped.defvjp(lambda x, most: (x * x, x), lambda most, x, g: (2 * x * jax.numpy.clip(g, -most, most),))
    report = doctor(clipped, args=(X, 0.5))
    assert report.pattern == "not-linear" and list(report.arguments) == ["x"]


def test_results_of_pytorch_may_be_nested_and_arguments_named() -> None:
    torch.manual_seed(0)
    report = doctor.torch(torch.nn.LSTM(3, 4), torch.randn(5, 2, 3), budget="quick")
    assert report.ok and "parameter bias_hh_l0" in report.arguments, str(report)

    class Scaled(torch.nn.Module):  # type: ignore[misc]
        def forward(self, a: Any, *, scale: Any) -> Any:
            return {"logits": a * scale, "more": (a.sum(),)}

    report = doctor.torch(Scaled(), {"a": torch.randn(3, 2), "scale": torch.randn(2)})
    assert report.ok and list(report.arguments) == ["a", "scale"], str(report)
