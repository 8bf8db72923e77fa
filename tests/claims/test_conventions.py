"""Every convention on which the sources disagree: its options, and the documented default, one test for each row.

The name of a test is the row's name in `ROWS` (see test_ids). Defaults are compared without naming the option.
"""

from __future__ import annotations

from fractions import Fraction as Q
from math import cos, pi, sqrt
from pathlib import Path

import numpy as np
import pytest
from tests.claims.scene import at, model_of, places, pull, run

import paperback as pb
from paperback import learn, nn

SIGNAL = np.array([1.0, 2, 3, 4])[:, None]


def test_convolution_or_correlation() -> None:
    """conv(x, w) = corr(x, flipped w), and the gradients of the stored w are flips of one another; G6, G16."""
    w = {"conv1d_1.w": [1, 0, 2]}
    assert run(nn.Conv1d(1, 3, bias=False), SIGNAL, w).ravel().tolist() == [7, 10]  # the default
    assert run(nn.Conv1d(1, 3, bias=False, flip=True), SIGNAL, w).ravel().tolist() == [5, 8]
    assert run(nn.Conv1d(1, 3, bias=False, flip=True), SIGNAL, {"conv1d_1.w": [2, 0, 1]}).ravel().tolist() == [7, 10]
    x, w2, g = np.arange(1.0, 13).reshape(3, 4, 1), [[1, 2], [3, 5]], [[1, 0, -1], [2, 1, 0]]
    found = {flip: pull(nn.Conv2d(1, 2, bias=False, flip=flip), x, g, {"conv2d_1.w": w2}) for flip in (False, True)}
    assert found[True]["conv2d_1.w"][:, :, 0, 0].tolist() == [[29, 26], [17, 14]]
    assert found[False]["conv2d_1.w"][:, :, 0, 0].tolist() == [[14, 17], [26, 29]]
    assert found[True]["input"][..., 0].tolist() == [[5, 3, -5, -3], [12, 12, 1, -1], [4, 4, 1, 0]]
    assert found[False]["input"][..., 0].tolist() == [[1, 2, -1, -2], [5, 10, -1, -5], [6, 13, 5, 0]]


def test_kernel_index() -> None:
    """0-based, the flipped index is w[P-1-p]; with P the largest index, w[P-p] reads the same numbers."""
    x, w = np.array([1.0, -2, 3, 5]), np.array([2.0, 7, -1])
    size = pb.formula("C[i] = sum(p) x[i+p]*w[P-1-p]", w="P")
    largest = pb.formula("C[i] = sum(p<P+1) x[i+p]*w[P-p]", w="Q", P=2)
    expected = [sum(x[i + p] * w[2 - p] for p in range(3)) for i in range(2)]
    assert size(x=x, w=w).tolist() == largest(x=x, w=w).tolist() == expected
    with pytest.raises(pb.FormulaError):  # P the size, and read at P: out of range, never wrapped around
        pb.formula("C[i] = sum(p<P) x[i+p]*w[P-p]", w="P")


def test_index_base() -> None:
    """The sources' 1-based h_{n+j-1} is 0-based h[n+j], and h_{n+j-k} is h[n+j-(k-1)]; nothing public counts from 1."""
    h, w = [3.0, 1, 4, 1, 5], [2.0, -1, 3]
    one = dict(enumerate(h, start=1)), dict(enumerate(w, start=1))
    valid = [sum(one[0][n + j - 1] * one[1][j] for j in range(1, 4)) for n in range(1, 4)]
    full = [sum(one[0].get(n + j - 3, 0) * one[1][j] for j in range(1, 4)) for n in range(1, 8)]
    assert pb.formula("y[n] = sum(j) h[n+j]*w[j]")(h=h, w=w).tolist() == valid
    text = "y[n] = sum(j) h[n+j-(k-1)]*w[j] where h: d, w: k, h pads 0, n < d+k-1"
    assert pb.formula(text)(h=h, w=w).tolist() == full
    assert pb.formula("y[n] = h[n]*n")(h=h).tolist() == [0, 1, 8, 3, 20]


def test_layout() -> None:
    """Channels last inside; layout="NCHW" at the edges; kernels and images are converted by name."""
    rng = np.random.default_rng(0)
    x, w = (rng.integers(-3, 4, shape).astype(float) for shape in ((2, 3, 5, 4), (2, 3, 2, 3)))  # NCHW, OIHW
    expected = np.zeros((2, 2, 4, 2))
    for n, o, i, j in places(2, 2, 4, 2):
        expected[n, o, i, j] = sum(w[o, c, a, b] * x[n, c, i + a, j + b] for c, a, b in places(3, 2, 3))
    kernel = {"conv2d_1.w": nn.relayout(w, "OIHW -> HWIO")}
    assert np.array_equal(nn.relayout(w, "OIHW -> HWIO"), w.transpose(2, 3, 1, 0))
    net = nn.Conv2d(2, (2, 3), bias=False)
    assert np.array_equal(model_of(net, (3, 5, 4), kernel, layout="NCHW").predict(x), expected)
    last = model_of(net, (5, 4, 3), kernel).predict(nn.relayout(x, "NCHW -> NHWC"))  # the default
    assert np.array_equal(nn.relayout(last, "NHWC -> NCHW"), expected)
    for edge in ("NHWC", "NCHW"):  # flatten is rows, columns, channels, whatever the edge
        shape = (5, 4, 3) if edge == "NHWC" else (3, 5, 4)
        given = nn.relayout(x, "NCHW -> NHWC") if edge == "NHWC" else x
        flat = model_of(nn.Flatten(), shape, layout=edge).predict(given)
        assert np.array_equal(flat, x.transpose(0, 2, 3, 1).reshape(2, -1))
    with pytest.raises(pb.ModelError, match="needs the same letters on both sides of an arrow"):
        nn.relayout(w, "OIHW -> HWI")
    with pytest.raises(pb.ModelError, match="OI names 2 axes, the array has 4"):
        nn.relayout(w, "OI -> IO")


def test_dense_weight() -> None:
    """[in, out] in a layer; y = W x with W out x in is its transpose."""
    W, b, x = np.array([[1.0, 2], [-1, 1], [0, 3]]), np.array([1.0, 0, -1]), np.array([2.0, 1])
    y = run(nn.Dense(3), x, {"dense_1.w": nn.relayout(W, "OI -> IO"), "dense_1.b": b})
    assert y.tolist() == [5, -1, 2]  # G11
    assert pb.formula("y[o] = sum(i) W[o,i]*x[i] + b[o]")(W=W, x=x, b=b).tolist() == [5, -1, 2]


def test_jacobian_layout() -> None:
    """Numerator by default: dy/dx of y = W x is W; in the denominator layout it is the transpose."""
    W, x = np.array([[2.0, 1, 0], [0, 0, 0], [1, 0, -2], [0, 1, 4]]), np.array([1.0, -2, 0.5])
    layer = pb.formula("f[k] = sigmoid(sum(i) W[k,i]*x[i])")
    assert layer.derivative("x")(W=W, x=x).tolist() == (W / 4).tolist()  # G14
    assert layer.derivative("x", layout="denominator")(W=W, x=x).tolist() == (W.T / 4).tolist()
    by_weights = layer.derivative("W", layout="denominator")
    assert by_weights.ranges.keys() >= {"k"}
    numbers = by_weights(W=W, x=x)
    assert numbers.shape == (4, 3, 4)
    for i, j, k in places(4, 3, 4):
        assert numbers[i, j, k] == (x[j] / 4 if k == i else 0)
    assert pb.formula(str(by_weights)) == by_weights
    with pytest.raises(pb.FormulaError, match="layout is numerator or denominator, not 'columns'"):
        layer.derivative("x", layout="columns")


def test_relu_at_zero() -> None:
    x, g = [-1.0, 0, 2], [3, 4, 5]
    assert pull(nn.ReLU(), x, g)["input"].tolist() == [0, 0, 5]  # the default
    assert pull(nn.ReLU(at_zero=0.5), x, g)["input"].tolist() == [0, 2, 5]
    assert pull(nn.ReLU(at_zero=1), x, g)["input"].tolist() == [0, 4, 5]
    for value in (0, Q(1, 2), 1):
        relu = pb.formula("y[i] = relu(x[i])", conventions=pb.Conventions(relu_at_zero=value))
        assert relu.gradients({"x": np.array(x)}, np.array(g, float))["x"].tolist() == [0, 4 * float(value), 5]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[1, 0], [0, 0]]),  # the default
        ({"ties": "first"}, [[1, 0], [0, 0]]),
        ({"ties": "split"}, [[1 / 3, 1 / 3], [0, 1 / 3]]),
        ({"ties": "all"}, [[1, 1], [0, 1]]),
    ],
)
def test_max_pool_ties(options: dict, expected: list) -> None:
    found = pull(nn.MaxPool2d(2, **options), np.array([[1.0, 1], [0, 1]])[..., None], [[1]])
    assert found["input"][..., 0] == pytest.approx(np.array(expected), abs=1e-15)


def test_pool_padding() -> None:
    """-inf outside: all-negative windows keep their own maximum; a mean leaves out what is outside."""
    x = -np.arange(1.0, 6)[:, None]
    expected = [max(x[j, 0] for j in range(max(0, i - 1), min(5, i + 2))) for i in range(0, 5, 2)]
    assert run(nn.MaxPool1d(3, stride=2, padding=1), x).ravel().tolist() == expected == [-1, -2, -4]
    means = [float(x[max(0, i - 1) : min(5, i + 2)].mean()) for i in range(0, 5, 2)]
    assert run(nn.AvgPool1d(3, stride=2, padding=1), x).ravel() == pytest.approx(means)


def test_same_for_even_kernels() -> None:
    """The odd zero on the right by default; padding="same_low" is what NumPy calls same, under both conventions."""
    x = np.arange(1.0, 6)[:, None]
    w = {"conv1d_1.w": [1, 10]}
    assert run(nn.Conv1d(1, 2, padding="same", bias=False), x, w).ravel().tolist() == [21, 32, 43, 54, 5]
    assert run(nn.Conv1d(1, 2, padding="same_low", bias=False), x, w).ravel().tolist() == [10, 21, 32, 43, 54]
    rng, ran = np.random.default_rng(1), 0
    for d, k in places(8, 8):
        if not 1 <= k <= d:
            continue
        x, kernel = rng.integers(-5, 6, d).astype(float), rng.integers(-5, 6, k).astype(float)
        for flip, numpy in ((False, np.correlate), (True, np.convolve)):
            layer = nn.Conv1d(1, k, padding="same_low", flip=flip, bias=False)
            found = run(layer, x[:, None], {"conv1d_1.w": kernel}).ravel()
            assert found.tolist() == numpy(x, kernel, "same").tolist()
            ran += 1
    assert ran == 56


@pytest.mark.parametrize("padding", ["same", "same_low"])
def test_same_with_a_stride(padding: str) -> None:
    """ceil(n/s) outputs, total pad max((out-1)*s + d*(k-1) + 1 - n, 0), for convolutions of all ranks and for pools."""
    rng, ran = np.random.default_rng(2), 0
    cases = (5, 2, 1, 1), (5, 4, 2, 1), (6, 3, 2, 1), (6, 4, 3, 1), (7, 2, 2, 3), (4, 1, 3, 1), (3, 4, 1, 2)
    for n, k, s, d in cases:
        x, w = rng.integers(-5, 6, n).astype(float), rng.integers(-5, 6, k).astype(float)
        out = -(-n // s)
        total = max((out - 1) * s + d * (k - 1) + 1 - n, 0)
        low = total // 2 if padding == "same" else total - total // 2
        expected = [sum(at(x, s * i + d * j - low) * w[j] for j in range(k)) for i in range(out)]
        for rank, layer in enumerate((nn.Conv1d, nn.Conv2d, nn.Conv3d), start=1):
            beside = (1,) * (rank - 1)
            conv = layer(1, (k, *beside), (s, *beside), padding, (d, *beside), bias=False)
            y = run(conv, x.reshape(n, *beside, 1), {f"conv{rank}d_1.w": w})
            assert y.ravel().tolist() == expected
        fixed = nn.FixedConv(w, s, padding, d)
        assert run(fixed, x[:, None]).ravel().tolist() == expected
        ran += 1
        if d == 1 and max(low, total - low) < k:
            windows = [[x[j] for j in range(s * i - low, s * i - low + k) if 0 <= j < n] for i in range(out)]
            assert run(nn.MaxPool1d(k, s, padding), x[:, None]).ravel().tolist() == [max(own) for own in windows]
            means = [sum(own) / len(own) for own in windows]
            assert run(nn.AvgPool1d(k, s, padding), x[:, None]).ravel() == pytest.approx(means)
            ran += 1
    assert ran == 12


@pytest.mark.parametrize("padding", ["same", "same_low"])
def test_same_transposed(padding: str) -> None:
    """s*L outputs, and <T x, y> = <x, C y> with the convolution of the same stride and padding: exact integers."""
    rng, ran = np.random.default_rng(3), 0
    cases = (1, 2, 3, 1), (3, 4, 1, 1), (4, 3, 2, 1), (3, 4, 2, 1), (3, 1, 2, 1), (3, 2, 2, 2), (2, 5, 3, 1)
    for n, k, s, d in cases:
        w = rng.integers(-3, 4, (k, 2, 3)).astype(float)
        x, y = rng.integers(-3, 4, (n, 2)).astype(float), rng.integers(-3, 4, (n * s, 3)).astype(float)
        there = run(nn.ConvTranspose1d(3, k, s, padding, dilation=d, bias=False), x, {"convtranspose1d_1.w": w})
        back = run(nn.Conv1d(2, k, s, padding, d, bias=False), y, {"conv1d_1.w": w.transpose(0, 2, 1)})
        assert there.shape == y.shape
        assert (there * y).sum() == (x * back).sum()
        ran += 1
    assert ran == 7
    assert run(nn.ConvTranspose2d(1, (3, 4), (1, 2), padding), np.ones((2, 3, 1))).shape == (2, 6, 1)


def test_kernel_longer_than_input() -> None:
    """No operands are swapped: valid is refused, same keeps the input's length."""
    with pytest.raises(pb.ModelError, match="a kernel that covers 5 does not fit into 3"):
        pb.Model(nn.Conv1d(1, 5), (3, 1))
    y = run(nn.Conv1d(1, 5, padding="same", bias=False), [[1], [2], [3]], {"conv1d_1.w": [1, 10, 100, 1000, 10000]})
    assert y.ravel().tolist() == [32100, 3210, 321]
    valid = pb.formula("y[n] = sum(j) x[n+j]*w[j]")
    with pytest.raises(pb.EngineError):
        valid(x=np.ones(3), w=np.ones(5))


def test_asymmetric_padding() -> None:
    """Claim C1 read literally: nothing above and left, two below and right; B1 has one on every side."""
    x = np.array([[1.0, 2], [3, 4]])[..., None]
    filters = np.zeros((3, 3, 1, 2))
    filters[0, 0], filters[1, 0, 0, 0], filters[0, 1, 0, 1] = -1, 1, 1
    found = run(nn.Conv2d(2, 3, padding=((0, 2), (0, 2)), bias=False), x, {"conv2d_1.w": filters})
    assert found[..., 0].tolist() == [[2, 2], [-3, -4]]
    assert found[..., 1].tolist() == [[1, -2], [1, -4]]
    shifted = run(nn.Conv2d(2, 3, padding=1, bias=False), x, {"conv2d_1.w": filters})
    assert shifted[..., 0].tolist() == [[0, 1], [0, 2]]


def test_step_at_zero() -> None:
    assert run(nn.Step(), [-1.0, 0, 2]).tolist() == [0, 1, 1]  # the default
    assert run(nn.Step(at_zero=0), [-1.0, 0, 2]).tolist() == [0, 0, 1]
    x = np.array([-1.0, 0, 2])
    assert pb.formula("y[i] = step(x[i])")(x=x).tolist() == [0, 1, 1]
    assert pb.formula("y[i] = [x[i] > 0]")(x=x).tolist() == [0, 0, 1]


def test_loss_reduction() -> None:
    """Two examples with the probabilities 1/2 and 1/4 of their classes: mean J = (3/2) ln 2 (G19)."""
    model = model_of(nn.Identity(), (2,))
    x, y, ln2 = np.array([[0.0, 0], [np.log(3), 0]]), np.array([0, 1]), np.log(2)
    loss = nn.Loss.named("softmax_cross_entropy")
    assert model.evaluate(x, y)["loss"] == pytest.approx(1.5 * ln2, rel=1e-15)  # the default
    assert model.evaluate(x, y, loss=loss.reduced("sum"))["loss"] == pytest.approx(3 * ln2, rel=1e-15)
    assert model.evaluate(x, y, loss=loss.reduced("none"))["loss"] == pytest.approx([ln2, 2 * ln2], rel=1e-15)
    mean, total = (model.loss_and_gradients(x, y, loss=loss.reduced(r))[1]["input"] for r in ("mean", "sum"))
    p = np.array([[0.5, 0.5], [0.75, 0.25]])
    assert total == pytest.approx(p - np.eye(2))
    assert mean == pytest.approx((p - np.eye(2)) / 2)


def test_mse_factor() -> None:
    model, x, y = model_of(nn.Identity(), (1,)), [[3.0]], [[1.0]]
    found = {half: model.loss_and_gradients(x, y, loss=nn.mean_squared_error(half=half)) for half in (False, True)}
    assert found[False][0] == 4 == model.evaluate(x, y, loss="mean_squared_error")["loss"]  # the default: no 1/2
    assert found[True][0] == 2
    assert found[False][1]["input"].item() == 4
    assert found[True][1]["input"].item() == 2


def test_cross_entropy_target() -> None:
    """Classes or distributions; what does not sum to 1 is told, and has its true gradient x*sum(y) - y."""
    model, z = model_of(nn.Identity(), (3,)), np.array([[0, np.log(2), np.log(3)]])
    s = np.array([1, 2, 3]) / 6  # G3
    _, by_class = model.loss_and_gradients(z, [2])
    assert by_class["input"][0] == pytest.approx(s - [0, 0, 1])
    _, by_shares = model.loss_and_gradients(z, [[0.25, 0.25, 0.5]])
    assert by_shares["input"][0] == pytest.approx(s - [0.25, 0.25, 0.5])
    with pytest.warns(UserWarning, match=r"label\[0\] sums to 1.5, not 1; the gradient is softmax\*sum\(y\) - y"):
        _, general = model.loss_and_gradients(z, [[0.5, 0, 1.0]])
    assert general["input"][0] == pytest.approx(1.5 * s - [0.5, 0, 1])


@pytest.mark.parametrize(
    ("options", "scale"),
    [
        ({"scaling": "raw"}, [1, 1]),
        ({"scaling": "double"}, [2, 2]),
        ({"scaling": "root"}, [1 / 2, 1 / 2]),
        ({"scaling": "orthonormal"}, [1 / 2, sqrt(1 / 2)]),
        ({}, [1 / 2, sqrt(1 / 2)]),  # the default
    ],
)
def test_dct_scale(options: dict, scale: list[float]) -> None:
    """G13, by the sum that defines it: in one dimension, in two, and blockwise."""
    m = np.array([[scale[k > 0] * cos(pi * (j + 0.5) * k / 4) for j in range(4)] for k in range(4)])
    assert run(nn.DCT1d(**options), SIGNAL).ravel() == pytest.approx(m @ SIGNAL[:, 0], abs=1e-12)
    image = np.random.default_rng(4).integers(-4, 5, (4, 8, 1)).astype(float)
    blocks = run(nn.BlockDCT(4, **options), image)
    for b in (0, 1):
        expected = m @ image[:, 4 * b : 4 * b + 4, 0] @ m.T
        assert blocks[0, b].reshape(4, 4) == pytest.approx(expected, abs=1e-12)
        assert run(nn.DCT2d(**options), image[:, 4 * b : 4 * b + 4])[..., 0] == pytest.approx(expected, abs=1e-12)
    there_and_back = nn.Sequential(nn.DCT1d(**options), nn.DCT1d(**options, inverse=True))
    assert run(there_and_back, SIGNAL) == pytest.approx(SIGNAL, abs=1e-12)


def test_delta_sign() -> None:
    """Backward lines hold dJ/dz; with deltas="step" the program is the one of claim E26: delta = -lr*dJ/dz, w + dw."""
    model = model_of(nn.Sequential(nn.Dense(2)), (2,))
    plain, inside = (str(model.program(optimizer=pb.optim.SGD(0.5), deltas=d)) for d in ("gradient", "step"))
    assert str(model.program(optimizer=pb.optim.SGD(0.5))) == plain  # the default
    assert "  dense_1.b[i] = dense_1.b[i] - lr*dense_1.db[i]" in plain
    assert "  dense_1.b[i] = dense_1.b[i] + dense_1.db[i]" in inside
    backward = [page.split("backward:\n")[1].split("update:")[0].splitlines() for page in (plain, inside)]
    different = [lines for lines in zip(*backward, strict=True) if lines[0] != lines[1]]
    assert different == [("  loss.dJ[n] = 1/N   # N", "  loss.dJ[n] = -1/N*lr   # N")]  # all others are linear in it


def test_convolution_bias() -> None:
    """One per filter by default, one per output position, or none; dJ/db is delta summed, or delta itself."""
    x, g = np.arange(12.0).reshape(3, 4, 1), np.arange(12.0).reshape(2, 3, 2) - 5
    names = {bias: pull(nn.Conv2d(2, 2, bias=bias), x, g) for bias in (True, "position", False)}
    assert names[True]["conv2d_1.b"].tolist() == g.sum(axis=(0, 1)).tolist()
    assert names["position"]["conv2d_1.b"].tolist() == g.tolist()
    assert "conv2d_1.b" not in names[False]
    assert pull(nn.Conv2d(2, 2), x, g)["conv2d_1.b"].shape == (2,)  # the default
    b = np.arange(12.0).reshape(2, 3, 2)
    y = run(nn.Conv2d(2, 2, bias="position"), x, {"conv2d_1.w": np.zeros(8), "conv2d_1.b": b})
    assert y.tolist() == b.tolist()


def test_order_of_pool_and_relu() -> None:
    """P(R(z)) in lenet, as in the sheet; R(P(z)) has the same values, other gradients at ties for relu'(0) = 1/2."""
    kinds = [layer.kind for layer in nn.build(learn.presets.lenet((28, 28, 1), 10), (28, 28, 1)).layers]
    assert kinds[:6] == ["conv2d", "relu", "maxpool2d", "conv2d", "relu", "maxpool2d"]
    differ, ran = {0: 0, 0.5: 0}, 0
    windows = np.array(list(places(4, 4, 4, 4))).reshape(-1, 2, 2, 1) - 1.0  # over {-1, 0, 1, 2}
    for at_zero in differ:
        orders = []
        for layers in ([nn.ReLU(at_zero), nn.MaxPool2d(2)], [nn.MaxPool2d(2), nn.ReLU(at_zero)]):
            model = model_of(nn.Sequential(*layers), (2, 2, 1))
            orders.append(model.vjp(windows, np.ones((256, 1, 1, 1))))
        assert np.array_equal(orders[0][0], orders[1][0])
        unlike = orders[0][1]["input"] != orders[1][1]["input"]
        differ[at_zero] = int(unlike.any(axis=(1, 2, 3)).sum())
        ran += len(windows)
    assert differ == {0: 0, 0.5: 7}
    assert ran == 512


def test_odd_size_at_a_pool() -> None:
    x = np.arange(5.0)[:, None]
    assert run(nn.MaxPool1d(2), x).ravel().tolist() == [1, 3]  # the default drops the rest
    assert run(nn.MaxPool1d(2, ceil=True), x).ravel().tolist() == [1, 3, 4]
    assert run(nn.AvgPool1d(2, ceil=True), x).ravel().tolist() == [0.5, 2.5, 4]


def test_conventions_survive_a_file(tmp_path: Path) -> None:
    """Options are part of the layer: a saved model has them all."""
    net = nn.Sequential(
        nn.Conv1d(2, 2, padding="same_low", flip=True, bias="position"), nn.ReLU(at_zero=0.5),
        nn.MaxPool1d(2, ties="split", ceil=True), nn.ConvTranspose1d(1, 3, 2, "same_low"), nn.DCT1d("raw"),
    )  # fmt: skip
    x = np.array([[0.0], [0], [1], [1], [-1]])[None]
    made = model_of(net, (5, 1))
    v = np.arange(6.0).reshape(1, 6, 1)
    made.save(tmp_path / "model")
    again = pb.load(tmp_path / "model", engine="numpy")
    expected, found = made.vjp(x, v), again.vjp(x, v)
    assert np.array_equal(expected[0], found[0])
    assert all(np.array_equal(expected[1][name], found[1][name]) for name in expected[1])
