"""Every rule on models of its own: outputs, gradients by the input, certificates; what it refuses; mutants."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.rewrites.networks import CASES, S, model_of

import paperback as pb
from paperback import nn
from paperback.rewrites import exactly
from paperback.rewrites.apply import places
from paperback.rewrites.exactly import check_exactly
from paperback.rewrites.pieces import Chain, Piece, split
from paperback.rewrites.rule import Found, Rule
from paperback.rewrites.rules import RULES

EVERY = [(name, net, shape, k) for name, cases in CASES.items() for k, (net, shape) in enumerate(cases)]
SOME = [
    pytest.param(name, net, shape, id=f"{name}-{k}", marks=[pytest.mark.long] if k % 2 else [])
    for name, net, shape, k in EVERY
]


def zeroed(model: pb.Model) -> pb.Model:
    """The last dense layer of a residual block gives 0."""
    model.set_parameters({f"dense_2.{n}": np.zeros_like(model.parameters[f"dense_2.{n}"]) for n in ("w", "b")})
    return model


@pytest.mark.parametrize(("name", "net", "shape"), SOME)
def test_the_function_stays(name: str, net: nn.Layer, shape: tuple[int, ...]) -> None:
    model = model_of(net, shape, dtype="float64")
    if name == "drop_zero_residual":
        zeroed(model)
    new, certificate = pb.rewrite(model, name)
    assert new is not model and certificate.holds and certificate.steps
    assert certificate.bound is not None and certificate.difference <= certificate.bound < 1e-6
    assert all(step.exactly.outputs > 0 and step.exactly.gradient > 0 for step in certificate.steps)
    x = np.random.default_rng(0).standard_normal((5, *shape))
    v = np.random.default_rng(1).standard_normal((5, *model.network.output_shape))
    (y, before), (z, after) = model.vjp(x, v), new.vjp(x, v)
    np.testing.assert_allclose(z, y, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(after["input"], before["input"], rtol=1e-10, atol=1e-10)
    assert name in str(certificate) and certificate.plain()["holds"]


def test_every_rule_has_models() -> None:
    assert set(CASES) == set(RULES)
    assert len(EVERY) >= 40


def test_a_rewritten_model_is_a_model_like_any_other(tmp_path: Path) -> None:
    """It trains, saves, loads, and stays what it is."""
    train, test = pb.data.load_splits()
    net = S(nn.Conv2d(8, 3), nn.BatchNorm(), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(16), nn.Sigmoid(),
            nn.Dense(10))  # fmt: skip
    model = pb.Model(net, (8, 8, 1), seed=0)
    model.freeze("conv2d_1.w")
    model.fit(train.x, train.y, epochs=3, optimizer=pb.optim.SGD(0.1, momentum=0.9))
    before = {name: array.copy() for name, array in model.parameters.items()}
    new, certificate = pb.rewrite(model, "all")
    assert [step.rule.name for step in certificate.steps] == ["pool_before_activation", "fold_batchnorm"]
    assert certificate.inference and certificate.changes["parameters"].ratio < 1
    assert all(np.array_equal(before[name], array) for name, array in model.parameters.items())
    assert np.array_equal(new.predict(test.x).argmax(1), model.predict(test.x).argmax(1))
    assert new.frozen == {"conv2d_1.w"} and new.steps == model.steps and new.loss == model.loss
    new.save(tmp_path / "new.safetensors")
    again = pb.load(tmp_path / "new.safetensors")
    assert np.array_equal(again.predict(test.x), new.predict(test.x))
    accuracy = new.evaluate(test.x, test.y)["accuracy"]
    new.fit(train.x, train.y, epochs=3, optimizer=pb.optim.SGD(0.05, momentum=0.9))
    assert new.evaluate(test.x, test.y)["accuracy"] >= accuracy - 0.02 > 0.8


REFUSED = [
    (
        S(nn.Dense(3), nn.Sigmoid()), (4,), "tanh_from_sigmoid",
        "rewrite: tanh_from_sigmoid does not apply: sigmoid_1: needed is that after the activation comes a layer with "
        "weights that takes up an affine change, between them only layers that pass one on; sigmoid_1 is the last "
        "of its chain",
    ),
    (
        S(nn.Sigmoid(), nn.Dense(3)), (4,), "tanh_from_sigmoid",
        "rewrite: tanh_from_sigmoid does not apply: sigmoid_1: needed is that before the activation stands a layer "
        "with weights and a bias to scale, between them only layers that pass a factor on; the chain begins with "
        "sigmoid_1",
    ),
    (
        S(nn.Conv2d(3, 3), nn.GELU(), nn.MaxPool2d(2)), (8, 8, 1), "pool_before_activation",
        "rewrite: pool_before_activation does not apply: gelu_1, maxpool2d_1: needed is that the activation does not "
        "decrease; gelu_1: GELU() decreases somewhere",
    ),
    (
        S(nn.Conv2d(3, 3), nn.LeakyReLU(-0.5), nn.MaxPool2d(2)), (8, 8, 1), "pool_before_activation",
        "rewrite: pool_before_activation does not apply: leakyrelu_1, maxpool2d_1: needed is that the activation does "
        "not decrease; leakyrelu_1: LeakyReLU(-0.5) decreases somewhere",
    ),
    (
        S(nn.ReLU(0.5), nn.MaxPool2d(2)), (8, 8, 1), "pool_before_activation",
        "rewrite: pool_before_activation does not apply: relu_1, maxpool2d_1: needed is that the slope at the "
        "activation's kink does not depend on who won a tie; relu_1 has the slope 0.5 at 0: in the window "
        "(-1, 0, -2, -3) the 0 gets 0.5 of the gradient where the maximum comes first, and -1, whose slope is 0, where "
        "relu does; gradients=False keeps the outputs only",
    ),
    (
        S(nn.Conv2d(4, 3), nn.Conv2d(3, 2, padding=1)), (7, 6, 2), "merge_convolutions",
        "rewrite: merge_convolutions does not apply: conv2d_1, conv2d_2: needed is that the second is not padded (what "
        "it reads outside would be 0, not the first one's bias); conv2d_2 is Conv2d(3, 2, padding=1)",
    ),
    (
        S(nn.AvgPool2d(2, padding=1), nn.Flatten()), (6, 6, 2), "depthwise_from_avgpool",
        "rewrite: depthwise_from_avgpool does not apply: avgpool2d_1: needed is that every window lies inside x: no "
        "padding, and no window for what is left over; avgpool2d_1 is AvgPool2d(2, padding=1) over 6x6x2",
    ),
    (
        S(nn.Step(), nn.Formula("y[o] = abs(x[o] - x[o+1]) where o < 1", axes={"x": "I"})), (2,),
        "perceptron_from_gate",
        "rewrite: perceptron_from_gate does not apply: step_1, formula_1: needed is that a weighted sum of the bits is "
        "at least 0 just where the gate is 1; no line separates [(0, 1), (1, 0)], where formula_1 is 1, from the other "
        "corners",
    ),
    (
        S(nn.FixedConv([[0.5, 0.25]])), (4, 4, 1), "avgpool_from_depthwise",
        "rewrite: avgpool_from_depthwise does not apply: fixedconv_1: needed is that all weights are 1/(P*Q), nothing "
        "is padded or dilated; fixedconv_1 is FixedConv(((0.5, 0.25),))",
    ),
    (
        S(nn.Dense(3)), (4,), "fold_batchnorm",
        "rewrite: fold_batchnorm does not apply: there is no affine, BatchNorm in the model",
    ),
    (
        S(nn.Dense(3)), (4,), "fold_batchnrom",
        "rewrite: no identity is called 'fold_batchnrom'; did you mean fold_batchnorm?",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("net", "shape", "name", "message"), REFUSED)
def test_what_is_refused(net: nn.Layer, shape: tuple[int, ...], name: str, message: str) -> None:
    with pytest.raises(pb.ModelError) as caught:
        pb.rewrite(model_of(net, shape), name)
    assert str(caught.value) == message


def test_where_only_outputs_are_kept() -> None:
    """relu'(0) = 1/2 and a maximum do not commute in their gradients (claim B4): the window of the refusal."""
    model = pb.Model(S(nn.ReLU(0.5), nn.MaxPool1d(4)), (4, 1), dtype="float64")
    new, certificate = pb.rewrite(model, "pool_before_activation", gradients=False)
    x, v = np.array([[[-1.0], [0.0], [-2.0], [-3.0]]]), np.ones((1, 1, 1))
    (y, before), (z, after) = model.vjp(x, v), new.vjp(x, v)
    assert np.array_equal(y, z) and certificate.steps[0].exactly.gradient == 0
    assert before["input"].ravel().tolist() == [0, 0, 0, 0]
    assert after["input"].ravel().tolist() == [0, 0.5, 0, 0]


def test_one_layer_of_several() -> None:
    net = S(nn.Dense(4), nn.Sigmoid(), nn.Dense(4), nn.Sigmoid(), nn.Dense(2))
    model = model_of(net, (3,))
    new, certificate = pb.rewrite(model, "tanh_from_sigmoid", at="sigmoid_2")
    assert [info.kind for info in new.network.layers] == ["dense", "sigmoid", "dense", "tanh", "dense"]
    assert certificate.steps[0].before == ("dense_2", "sigmoid_2", "dense_3")
    with pytest.raises(pb.ModelError, match="no layer is called 'sigmoid_3'; did you mean"):
        pb.rewrite(model, "tanh_from_sigmoid", at="sigmoid_3")


def test_the_list_of_places() -> None:
    model = pb.Model(S(nn.Conv2d(4, 3), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(2)), (8, 8, 1))
    found = {place.rule.name: place for place in places(model)}
    assert found["pool_before_activation"].refusal and not found["convolution_from_dense"].refusal
    assert found["convolution_from_dense"].plain() == {
        "name": "convolution_from_dense", "layers": ["flatten_1", "dense_1"], "applies": True, "why": "",
    }  # fmt: skip


def test_nand_is_the_perceptron_of_the_catalogue() -> None:
    """Claim D1c: weights -2, -2 and bias 3; the pre-activations 3, 1, 1, -1."""
    gate = nn.Formula("y[o] = 1 - x[o]*x[o+1] where o < 1", axes={"x": "I"})
    new, _ = pb.rewrite(pb.Model(S(nn.Step(1), gate), (2,)), "perceptron_from_gate")
    assert new.parameters["dense_1.w"].ravel().tolist() == [-2, -2] and new.parameters["dense_1.b"].tolist() == [3]
    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=np.float32)  # a Step takes them to bits
    assert new.predict(corners).ravel().tolist() == [1, 1, 1, 0]
    assert new.activations(corners)["dense_1"].ravel().tolist() == [3, 1, 1, -1]


def test_of_all_gates_of_two_bits_two_have_no_perceptron() -> None:
    """Of the 14 that read a bit: exclusive or, and its opposite."""
    separable = 0
    for a, b, c, d in np.ndindex(2, 2, 2, 2):
        if a == b == c == d:
            continue
        text = f"y[o] = {a} + ({c - a})*x[o] + ({b - a})*x[o+1] + ({a - b - c + d})*x[o]*x[o+1] where o < 1"
        model = pb.Model(S(nn.Step(1), nn.Formula(text, axes={"x": "I"})), (2,))
        found = places(model, "perceptron_from_gate")
        separable += bool(found) and not found[0].refusal
    assert separable == 12


# ------------------------------------------------------------------------------------------------------- mutants


def spoiled(found: Found, tensor: str, change: Any) -> Found:
    """The place with a replacement that gets one tensor of its last layer wrong."""

    def replacement(pieces: Chain) -> Chain:
        *rest, last = found.replacement(pieces)
        return (*rest, replace(last, tensors={**last.tensors, tensor: change(last.tensors[tensor])}))

    return replace(found, replacement=replacement)


MUTANTS: list[tuple[str, str, Any]] = [
    ("tanh_from_sigmoid", "b", lambda b: b * Fraction(1, 2)),  # A3.4: the output bias halved
    ("tanh_from_sigmoid", "w", lambda w: w * 2),
    ("sigmoid_from_tanh", "b", lambda b: -b),
    ("merge_dense", "b", lambda b: b * 0),
    ("merge_dense", "w", lambda w: w[::-1]),
    ("fold_scale", "w", lambda w: w + Fraction(1, 4)),
    ("fold_batchnorm", "b", lambda b: b + Fraction(1, 8)),
    ("correlation_from_convolution", "w", lambda w: w[::-1]),
    ("correlation_from_convolution", "w", lambda w: w[::-1, ::-1]),
    ("merge_convolutions", "w", lambda w: w[::-1]),
    ("reference_softmax", "w", lambda w: -w),
]


@pytest.mark.parametrize(("name", "tensor", "change"), MUTANTS, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(MUTANTS)])
def test_a_wrong_rule_is_caught(name: str, tensor: str, change: Any) -> None:
    rule, (net, shape) = RULES[name], CASES[name][0]
    chain = split(model_of(net, shape))
    at, found = next(
        (at, found) for at in range(len(chain)) if isinstance(found := rule.find(chain, at), Found)
    )
    check_exactly(rule, chain, found, at)  # as it is, it holds

    def find(chain: Chain, at: int) -> Any:
        answer = rule.find(chain, at)
        last = answer.replacement(chain[answer.start : answer.stop])[-1] if isinstance(answer, Found) else None
        holder = tensor if last is not None and tensor in last.tensors else None
        return spoiled(answer, tensor, change) if holder else spoiled_first(answer, tensor, change)

    def spoiled_first(answer: Found, tensor: str, change: Any) -> Found:
        def replacement(pieces: Chain) -> Chain:
            first, *rest = answer.replacement(pieces)
            return (replace(first, tensors={**first.tensors, tensor: change(first.tensors[tensor])}), *rest)

        return replace(answer, replacement=replacement)

    with pytest.raises(AssertionError, match=name):
        check_exactly(Rule(rule.identity, find, rule.simplifies, rule.inference, rule.prepare), chain, found, at)


def test_a_wrong_gradient_is_caught() -> None:
    """Outputs alone would let relu'(0) = 1/2 pass."""
    rule = RULES["pool_before_activation"]

    def find(chain: Chain, at: int) -> Any:
        answer = rule.find(chain, at)
        return getattr(answer, "forward", None) or answer

    loose = replace(rule, find=find)
    chain = split(pb.Model(S(nn.ReLU(0.5), nn.MaxPool2d(2)), (4, 4, 1)))
    found = find(chain, 0)
    check_exactly(loose, chain, found, 0, gradients=False)
    caught = 0
    for seed in range(20):
        try:
            check_exactly(loose, chain, found, 0, seed=seed)
        except AssertionError:
            caught += 1
    assert caught >= 2


def test_the_twin_is_small_and_exact() -> None:
    rule, (net, shape) = RULES["tanh_from_sigmoid"], CASES["tanh_from_sigmoid"][1]
    chain = split(model_of(net, shape))
    found = rule.find(chain, 1)
    assert isinstance(found, Found)
    small, again = exactly.twin(rule, chain, found, 1)
    assert isinstance(again, Found) and isinstance(small[0], Piece)
    assert all(array.dtype == object for piece in small for array in piece.tensors.values())
    assert sum(array.size for piece in small for array in piece.tensors.values()) < 120
