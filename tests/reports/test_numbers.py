"""What a report says is what NumPy, PyTorch and finite differences find."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from tests.reports.networks import by_hand, dense_net, mean_loss, softmax
from tests.reports.pages import number, pictures, sound

import paperback as pb
from paperback import nn
from paperback.learn.history import History
from paperback.reports.findings import findings

Array = Any


def test_classes_are_those_of_a_count_by_hand() -> None:
    model, x, y = dense_net()
    made = pb.report(model, x, y)
    page, answers = sound(made), made.run.answers
    shares = softmax(by_hand(model, x)["dense_3"])
    given = shares.argmax(axis=1)
    counts = [[sum(1 for a, b in zip(y, given, strict=True) if (a, b) == (i, j)) for j in range(3)] for i in range(3)]
    assert answers.confusion is not None and answers.confusion.tolist() == counts
    told = re.findall(r"<title>(\d) (?:found|taken for (\d)): (\d+)</title>", made.html)
    assert [[int(n) for a, b, n in told if int(a) == i] for i in range(3)] == counts and len(told) == 9
    rows = page.table("precision", "recall")
    for k, row in enumerate(rows):
        column = sum(counts[i][k] for i in range(3))
        assert row["precision"] == (f"{counts[k][k] / column:.1%}" if column else "–")
        assert row["recall"] == f"{counts[k][k] / sum(counts[k]):.1%}"
        assert row["class"] == str(k) and row["examples"] == str(sum(counts[k]))
    assert len(rows) == 3
    assert answers.wrong == sum(given != y) and f"{(given == y).mean():.2%}" in made.html
    assert answers.loss == pytest.approx(mean_loss(model, x, y))


def test_mistakes_are_the_most_confident_ones() -> None:
    model, x, y = dense_net()
    made = pb.report(model, x, y)
    shares = softmax(by_hand(model, x)["dense_3"])
    wrong = [n for n in range(300) if shares[n].argmax() != y[n]]
    wrong.sort(key=lambda n: -shares[n].max())
    found = made.run.answers.mistakes
    assert len(wrong) > 24 == len(found)
    assert [mistake.place for mistake in found] == wrong[:24]
    for mistake in found:
        assert mistake.confidence == pytest.approx(shares[mistake.place].max())
        assert (mistake.label, mistake.given) == (y[mistake.place], shares[mistake.place].argmax())
    rows = sound(made).table("taken for", "probability")
    assert [int(row["example"]) for row in rows] == wrong[:24]
    assert f"24 of {len(wrong)}" in made.html
    assert number(rows[0]["its numbers"].split(", ")[0]) == pytest.approx(x[wrong[0], 0], rel=1e-3)


def test_the_inside_is_that_of_numpy_and_of_finite_differences() -> None:
    model, x, y = dense_net()
    made = pb.report(model, x, y)
    values, layers = by_hand(model, x), {layer.name: layer for layer in made.run.layers}
    assert list(layers) == list(values)
    for name, array in values.items():
        assert layers[name].mean == pytest.approx(array.mean()) and layers[name].deviation == pytest.approx(array.std())
    dead = tuple(unit for unit in range(7) if not (values["relu_1"][:, unit] > 0).any())
    assert layers["relu_1"].dead == dead and set(dead) >= {1, 3, 5} and len(dead) < 7
    ends = values["sigmoid_1"]
    share = ((ends < 0.01) | (ends > 0.99)).mean()
    assert layers["sigmoid_1"].saturated == pytest.approx(share) and 0.02 < share < 0.98
    assert layers["dense_1"].dead is None and layers["dense_1"].saturated is None and layers["relu_1"].saturated is None
    rows = sound(made).table("layer", "dead units")
    assert [row["layer"] for row in rows] == list(values)
    assert rows[1]["dead units"] == f"{len(dead)} of 7" and rows[3]["saturated"] == f"{share:.1%}"
    checked = 0
    for layer, row in zip(("dense_1", "dense_2", "dense_3"), rows[::2], strict=True):
        squares = 0.0
        for name in (f"{layer}.w", f"{layer}.b"):
            start = model.parameters[name]
            for place in np.ndindex(start.shape):
                sides = []
                for step in (1e-5, -1e-5):
                    moved = start.copy()
                    moved[place] += step
                    model.set_parameters({name: moved})
                    sides.append(mean_loss(model, x, y))
                model.set_parameters({name: start})
                squares += ((sides[0] - sides[1]) / 2e-5) ** 2
                checked += 1
        assert layers[layer].gradient_norm == pytest.approx(math.sqrt(squares), rel=1e-6)
        own = [model.parameters[f"{layer}.{p}"].ravel() for p in "wb"]
        assert layers[layer].parameter_norm == pytest.approx(np.linalg.norm(np.concatenate(own)))
        assert number(row["gradient norm"]) == pytest.approx(math.sqrt(squares), rel=1e-3)
    assert checked == 5 * 7 + 7 + 7 * 4 + 4 + 4 * 3 + 3
    assert any(sentence.startswith(f"relu_1 has {len(dead)} dead units of 7") for sentence in findings(made.run))


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_convolution_is_seen_as_pytorch_sees_it(layout: str) -> None:
    """300 examples pass in two batches; channels are units, and dead ones are found over both."""
    torch = pytest.importorskip("torch")
    net = nn.Sequential(nn.Conv2d(5, 3), nn.ReLU(), nn.Flatten(), nn.Dense(3))
    shape = (6, 5, 1) if layout == "NHWC" else (1, 6, 5)
    model = pb.Model(net, shape, seed=1, dtype="float64", layout=layout)
    model.set_parameters({"conv2d_1.b": np.array([0.1, -30, -0.2, 0.0, 0.3])})
    random = np.random.default_rng(3)
    x, y = random.normal(size=(300, 6, 5, 1)), random.integers(0, 3, 300)
    made = pb.report(model, x if layout == "NHWC" else np.moveaxis(x, -1, 1), y)
    page, (conv, relu, _, dense) = sound(made), made.run.layers
    p = {name: torch.tensor(array.copy(), requires_grad=True) for name, array in model.parameters.items()}
    z = torch.conv2d(torch.tensor(np.moveaxis(x, -1, 1)), p["conv2d_1.w"].permute(3, 2, 0, 1), p["conv2d_1.b"])
    a = torch.relu(z)
    seen, fired = a.detach().numpy(), z.detach().numpy()
    scores = a.permute(0, 2, 3, 1).reshape(300, -1) @ p["dense_1.w"] + p["dense_1.b"]
    torch.nn.functional.cross_entropy(scores, torch.tensor(y)).backward()
    assert relu.dead == tuple(k for k in range(5) if not (seen[:, k] > 0).any()) == (1,)
    assert conv.mean == pytest.approx(fired.mean()) and relu.deviation == pytest.approx(seen.std())
    for layer, name in ((conv, "conv2d_1"), (dense, "dense_1")):
        norm = math.sqrt(sum(float(p[f"{name}.{q}"].grad.square().sum()) for q in "wb"))
        assert layer.gradient_norm == pytest.approx(norm)
    pictures = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert sum(alt.startswith("unit ") for alt in pictures) == 5
    assert sum(alt.startswith("example ") for alt in pictures) == len(made.run.answers.mistakes) > 0
    np.testing.assert_array_equal(made.run.shown, x[[m.place for m in made.run.answers.mistakes]])


def test_a_unit_that_fires_once_is_alive() -> None:
    """Whichever of the two batches it is in."""
    model = pb.Model(nn.ReLU(), (4,), dtype="float64")
    x = -np.ones((300, 4))
    x[0, 0] = x[299, 2] = 1e-300
    x[5, 3] = 0.0
    made = pb.report(model, x, np.zeros(300, dtype=int))
    assert made.run.layers[0].dead == (1, 3)
    assert made.run.layers[0].mean == pytest.approx(2e-300 / 1200)


def test_the_curves_and_the_epochs() -> None:
    model, x, y = dense_net()
    history = model.fit(x[:200], y[:200], epochs=3, validation=(x[200:], y[200:]))
    made = pb.report(model, x, y, history=history, title="Three epochs")
    page = sound(made)
    rows = page.table("epoch", "held-out loss")
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [number(row["held-out loss"]) for row in rows] == pytest.approx([e.val_loss for e in history], rel=1e-3)
    assert "<h1>Three epochs</h1>" in made.html and "3 epochs, 12 steps" in made.html
    assert made.html.count('class="chart"') == 5 and pb.report(model, x, y).html.count('class="chart"') == 1
    again = pb.report(model, x, y, history=History(history.epochs, 12, True))
    assert "interrupted" in again.html and sound(again)


def test_numbers_instead_of_classes() -> None:
    model = pb.Model(nn.Sequential(nn.Dense(4), nn.Tanh(), nn.Dense(2)), input_shape=(3,), dtype="float64")
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 3)), random.normal(size=(40, 2))
    made = pb.report(model, x, y, loss="mean_squared_error")
    page, answers, found = sound(made), made.run.answers, model.predict(x)
    errors = np.abs(found - y)
    assert answers.mean_absolute_error == pytest.approx(errors.mean()) and answers.confusion is None
    r2 = 1 - ((found - y) ** 2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    assert answers.r2 == pytest.approx(r2)
    order = sorted(range(40), key=lambda n: -errors[n].max())
    assert [miss.place for miss in answers.misses] == order[:24]
    rows = page.table("answer", "error")
    assert [number(row["error"]) for row in rows] == pytest.approx(errors.max(axis=1)[order[:24]], rel=1e-3)
    assert answers.pairs is not None and len(answers.pairs[0]) == 80
    tanh = np.abs(np.tanh(x @ model.parameters["dense_1.w"] + model.parameters["dense_1.b"]))
    assert made.run.layers[1].saturated == pytest.approx((tanh > 0.98).mean())
    total = pb.report(model, x, y, loss=nn.losses.find("mean_squared_error").reduced("sum")).run
    assert total.answers.loss == answers.loss == pytest.approx(((found - y) ** 2).mean())
    assert [layer.gradient_norm for layer in total.layers] == [layer.gradient_norm for layer in made.run.layers]
    model.fit(x, y, loss="huber")
    assert pb.report(model, x, y).run.loss.name == "huber"


@pytest.mark.parametrize("first", ["dense", "convolution"])
def test_pictures_show_the_examples_and_the_weights(first: str) -> None:
    net = {
        "dense": nn.Sequential(nn.Flatten(), nn.Dense(4), nn.ReLU(), nn.Dense(3)),
        "convolution": nn.Sequential(nn.Conv2d(4, (2, 3)), nn.ReLU(), nn.Flatten(), nn.Dense(3)),
    }[first]
    model = pb.Model(net, (4, 5, 1), seed=3)
    random = np.random.default_rng(3)
    x, y = random.random((30, 4, 5, 1)), random.integers(0, 3, 30)
    made = pb.report(model, x, y)
    page = sound(made)
    shown = pictures(page, "example ")
    assert len(shown) == len(made.run.answers.mistakes) > 3
    for pixels, mistake in zip(shown, made.run.answers.mistakes, strict=True):
        np.testing.assert_array_equal(pixels, np.rint(255 * x[mistake.place, :, :, 0]))
    weights = model.parameters["dense_1.w" if first == "dense" else "conv2d_1.w"]
    drawn = pictures(page, "unit ")
    assert len(drawn) == 4
    for unit, pixels in enumerate(drawn):
        own = weights[:, unit].reshape(4, 5) if first == "dense" else weights[:, :, 0, unit]
        assert pixels.shape == (*own.shape, 3)
        redder = pixels[..., 0].astype(int) - pixels[..., 2]
        far = np.abs(own) > 0.05 * np.abs(weights).max()
        assert (np.sign(redder) == np.sign(own))[far].all() and far.sum() > 3


def test_what_training_alone_does_is_left_out() -> None:
    """Running statistics and no masks: the gradients of `evaluate`'s loss, not those of a training step."""
    net = nn.Sequential(nn.BatchNorm(), nn.Dense(6), nn.Dropout(0.5), nn.ReLU(), nn.Dense(3))
    model = pb.Model(net, (3,), dtype="float64")
    random = np.random.default_rng(0)
    x, y = random.normal(2, 3, size=(30, 3)), random.integers(0, 3, 30)
    made = pb.report(model, x, y)
    start, squares = model.parameters["dense_1.b"], 0.0
    for place in range(6):
        moves = [start + step * np.eye(6)[place] for step in (1e-5, -1e-5)]
        ends = []
        for moved in moves:
            model.set_parameters({"dense_1.b": moved})
            ends.append(model.evaluate(x, y)["loss"])
        squares += ((ends[0] - ends[1]) / 2e-5) ** 2
    model.set_parameters({"dense_1.b": start})
    _, gradients = model.loss_and_gradients(x, y, training=False)
    assert np.linalg.norm(gradients["dense_1.b"]) == pytest.approx(math.sqrt(squares), rel=1e-6)
    both = np.concatenate([gradients["dense_1.w"].ravel(), gradients["dense_1.b"]])
    assert made.run.layers[1].gradient_norm == pytest.approx(np.linalg.norm(both))
    assert made.run.layers[0].mean == pytest.approx(x.mean() / math.sqrt(1 + 1e-5))
