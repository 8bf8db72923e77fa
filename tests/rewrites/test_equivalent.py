"""Are two models one function? Paths between rewritten models, inputs that refute, and what is only measured."""

from __future__ import annotations

import numpy as np
import pytest
from tests.rewrites.networks import CASES, S, model_of
from tests.rewrites.test_rules import zeroed

import paperback as pb
from paperback import nn

ONE_EACH = [(name, *cases[-1]) for name, cases in CASES.items()]


@pytest.mark.parametrize(("name", "net", "shape"), ONE_EACH, ids=list(CASES))
def test_a_rewritten_model_is_the_same_function(name: str, net: nn.Layer, shape: tuple[int, ...]) -> None:
    model = model_of(net, shape)
    if name == "drop_zero_residual":
        zeroed(model)
    new, _ = pb.rewrite(model, name)
    answer = pb.equivalent(model, new)
    assert answer.status == "proved" and answer.holds, answer
    assert answer.bound is not None and answer.difference <= answer.bound
    assert answer.table and str(answer).startswith("proved: ")


def test_two_rewrites_are_the_same_function() -> None:
    first = nn.Conv2d(3, 3, flip=True)
    net = S(first, nn.BatchNorm(), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Dense(4), nn.Dense(2))
    model = model_of(net, (8, 8, 1))
    one, _ = pb.rewrite(model, "all")
    other = pb.rewrite(pb.rewrite(model, "correlation_from_convolution")[0], "sigmoid_from_tanh")[0]
    answer = pb.equivalent(one, other)
    assert answer.status == "proved"
    assert {step.rule.name for path in answer.paths for step in path} >= {"fold_batchnorm", "merge_dense"}


@pytest.mark.parametrize("name", ["dense_1.w", "dense_2.b", "dense_1.b"])
def test_another_number_refutes(name: str) -> None:
    a, b = (model_of(S(nn.Dense(4), nn.ReLU(), nn.Dense(2)), (5,)) for _ in range(2))
    changed = a.parameters[name].copy()
    changed.flat[0] += 0.01
    b.set_parameters({name: changed})
    answer = pb.equivalent(a, b)
    assert answer.status == "refuted" and answer.holds is False
    assert answer.input is not None and answer.outputs is not None
    for model, output in zip((a, b), answer.outputs, strict=True):  # it is an input that tells them apart
        np.testing.assert_allclose(model.predict(answer.input[None])[0], output, rtol=1e-6)
    assert np.abs(answer.outputs[0] - answer.outputs[1]).max() > 1e-4
    assert (name, "differs by up to 0.01", "") in answer.table


def test_the_wrong_tanh_network_is_refuted() -> None:
    """Claim A3.4 as it is printed: the output bias halved too."""
    model = model_of(S(nn.Dense(6), nn.Sigmoid(), nn.Dense(3)), (5,))
    wrong, _ = pb.rewrite(model, "tanh_from_sigmoid")
    wrong.set_parameters({"dense_2.b": wrong.parameters["dense_2.b"] - model.parameters["dense_2.b"] / 2})
    assert pb.equivalent(model, wrong).status == "refuted"


def test_what_has_no_path_is_measured() -> None:
    """x/(1 + |x|) has no identity here with itself written otherwise."""
    a = pb.Model(nn.Formula("y = x[]/(1 + abs(x[]))"), (4,))
    b = pb.Model(nn.Formula("y = x[]*(1 + abs(x[]))^(-1)"), (4,))
    c = pb.Model(nn.Formula("y = x[]/(1 + max(x[], -x[]))"), (4,))
    assert pb.equivalent(a, b).status == "proved"  # one tree
    answer = pb.equivalent(a, c)
    assert answer.status == "measured" and answer.holds is None and answer.examples == 48
    assert "no input was found that tells them apart" in answer.why


def test_a_far_input_is_tried_where_it_is_given() -> None:
    a = pb.Model(nn.Formula("y = x[]"), (1,))
    b = pb.Model(nn.Formula("y = min(x[], 1000)"), (1,))
    assert pb.equivalent(a, b).status == "measured"
    assert pb.equivalent(a, b, np.array([[2000.0]])).status == "refuted"


def test_shapes() -> None:
    a, b = pb.Model(nn.Dense(2), (3,)), pb.Model(nn.Dense(3), (3,))
    answer = pb.equivalent(a, b)
    assert answer.status == "refuted" and answer.why == "their outputs have the shapes (2,) and (3,)"
    with pytest.raises(pb.ModelError, match=r"the models take \(3,\) NHWC and \(4,\) NHWC"):
        pb.equivalent(a, pb.Model(nn.Dense(2), (4,)))


def test_as_data() -> None:
    a = model_of(S(nn.Dense(4), nn.Dense(2)), (5,))
    plain = pb.equivalent(a, pb.rewrite(a, "merge_dense")[0]).plain()
    assert plain["status"] == "proved" and plain["paths"] == [["merge_dense"], []] and plain["input"] is None
