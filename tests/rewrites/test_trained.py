"""Trained models, rewritten: predictions on all test images move by no more than the certificate's bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.rewrites.networks import S

import paperback as pb
from paperback import nn
from paperback.learn.presets import lenet
from paperback.rewrites.apply import places

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"
LEFT_OUT = {"matrix_from_convolution"}  # a matrix of millions of numbers, on images


def check(model: pb.Model, x: np.ndarray, least: int) -> None:
    """Every rule that applies to the model, on all images."""
    before = model.predict(x)
    applied = 0
    for name in sorted({place.rule.name for place in places(model) if not place.refusal} - LEFT_OUT):
        new, certificate = pb.rewrite(model, name, x=x)
        assert certificate.examples == len(x) and certificate.holds, certificate
        after = new.predict(x)
        assert certificate.bound is not None
        assert np.max(np.abs(after.astype(np.float64) - before)) <= certificate.bound
        assert np.mean(after.argmax(1) == before.argmax(1)) > 0.999
        applied += 1
    assert applied >= least


def test_digits() -> None:
    train, test = pb.data.load_splits()
    image = nn.Conv2d(8, 3, flip=True), nn.BatchNorm(), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 2), nn.Tanh()
    dense = nn.Dense(16), nn.Sigmoid(), nn.Dense(16), nn.Dense(10), nn.Softmax()
    net = S(*image, nn.AvgPool2d(2), nn.Flatten(), *dense)
    model = pb.Model(net, (8, 8, 1), seed=0)
    scores = pb.Model(S(*net.layers[:-1]), (8, 8, 1), seed=0)  # the softmax is in the loss while it trains
    scores.fit(train.x, train.y, epochs=10, optimizer=pb.optim.SGD(0.2, momentum=0.9))
    model.set_parameters({**scores.parameters, **scores.state})
    assert np.mean(model.predict(test.x).argmax(1) == test.y) > 0.8
    check(model, test.x, 12)


@pytest.mark.long
@pytest.mark.skipif(not MNIST.is_dir(), reason="needs MNIST beside the checkout")
def test_mnist() -> None:
    train, test = pb.data.load(MNIST)
    model = pb.Model(lenet((28, 28, 1)), (28, 28, 1), seed=0)
    model.fit(train.x[:20000], train.y[:20000], epochs=1, optimizer=pb.optim.SGD(0.05, momentum=0.9))
    assert model.evaluate(test.x, test.y)["accuracy"] > 0.95
    check(model, test.x, 3)
