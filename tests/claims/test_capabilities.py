"""The capabilities that the sources imply, each reached by the public API; c1 to c7 as the catalogue numbers them.

What the golden tests (tests/golden) pin already is not written twice: `test_ids` says where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np
import pytest
from tests.claims.scene import Array, at, model_of, places, pull, run

import paperback as pb
from paperback import nn

RNG = np.random.default_rng(20)


# --- c1: elementwise functions ----------------------------------------------------------------------------------------


def test_c1_stable_functions() -> None:
    """Finite, and right, where the textbook forms overflow or round to 0."""
    far = np.array([-1000.0, -40, 0, 40, 1000])
    log_sigmoid = pb.formula("y[i] = -softplus(-x[i])")(x=far)
    assert log_sigmoid == pytest.approx([-1000, -40, -log(2), -np.exp(-40), 0], rel=1e-15)
    sigmoid = run(nn.Sigmoid(), [-1000.0, 36, 37])
    assert sigmoid[0] == 0 and sigmoid[1] < 1 and sigmoid[2] == 1
    z = np.array([0, np.log(2), np.log(3)])
    for shift in (0.0, 1e3, -1e3):
        assert run(nn.Softmax(), z + shift) == pytest.approx([1 / 6, 1 / 3, 1 / 2], rel=1e-12)
        assert run(nn.LogSoftmax(), z + shift) == pytest.approx(np.log([1 / 6, 1 / 3, 1 / 2]), rel=1e-12)
    assert run(nn.LogSoftmax(), [-1000.0, 1000]).tolist() == [-2000, 0]
    assert run(nn.Step(), [-0.5, 0, 0.5]).tolist() == [0, 1, 1]


def test_c1_identities() -> None:
    """A2.2, A2.3a, A3.1 to A3.6: two classes are a sigmoid, K-1 scores are enough, sigmoid is tanh."""
    x = RNG.normal(size=(3, 5)) * 3
    for z in x:
        assert run(nn.Softmax(), z[:2])[1] == pytest.approx(run(nn.Sigmoid(), [z[1] - z[0]])[0], rel=1e-12)
        assert run(nn.Softmax(), z) == pytest.approx(run(nn.Softmax(), z - z[0]), rel=1e-12)
        assert run(nn.Tanh(), z) == pytest.approx(2 * run(nn.Sigmoid(), 2 * z) - 1, abs=1e-15)
        w, b, v, c = RNG.normal(size=(5, 4)), RNG.normal(size=4), RNG.normal(size=(4, 2)), RNG.normal(size=2)
        nets = [nn.Sequential(nn.Dense(4), own, nn.Dense(2)) for own in (nn.Sigmoid(), nn.Tanh())]
        names = "dense_1.w", "dense_1.b", "dense_2.w", "dense_2.b"
        sigmoid = run(nets[0], z, dict(zip(names, (w, b, v, c), strict=True)))
        tanh = run(nets[1], z, dict(zip(names, (w / 2, b / 2, v / 2, c + v.sum(0) / 2), strict=True)))
        back = run(nets[0], z, dict(zip(names, (2 * w, 2 * b, 2 * v, c - v.sum(0)), strict=True)))
        assert tanh == pytest.approx(sigmoid, rel=1e-12, abs=1e-12)
        other = run(nets[1], z, dict(zip(names, (w, b, v, c), strict=True)))
        assert back == pytest.approx(other, rel=1e-12, abs=1e-12)


# --- c2: losses -------------------------------------------------------------------------------------------------------


def test_c2_fused_gradients_and_saturation() -> None:
    """Sigmoid and cross-entropy give g - y, softmax and cross-entropy x - y; the squared error vanishes."""
    model = model_of(nn.Identity(), (1,))
    for a, y in ((0.0, 1.0), (np.log(3), 1.0), (-20.0, 1.0), (1000.0, 0.0), (-1000.0, 0.25)):
        value, gradients = model.loss_and_gradients([[a]], [[y]], loss="binary_cross_entropy")
        g = 1 / (1 + np.exp(-a)) if a > -700 else 0.0
        assert value == pytest.approx(max(a, 0) - a * y + np.log1p(np.exp(-abs(a))), rel=1e-15)
        assert gradients["input"].item() == pytest.approx(g - y, rel=1e-12)
    squared = model_of(nn.Sigmoid(), (1,)).loss_and_gradients([[-20.0]], [[1.0]], loss="mean_squared_error")
    assert squared[1]["input"].item() == pytest.approx(-4.1e-9, rel=0.02)
    from_probability = model_of(nn.Sigmoid(), (1,)).evaluate([[np.log(3)]], [[1]], loss="probability_cross_entropy")
    assert from_probability["loss"] == pytest.approx(log(4 / 3), rel=1e-12)  # G1
    pair = model_of(nn.Identity(), (2,)).loss_and_gradients([[0.0, 2.5]], [1])  # softmax on [0, a] is binary on a
    alone = model.loss_and_gradients([[2.5]], [[1.0]], loss="binary_cross_entropy")
    assert pair[0] == pytest.approx(alone[0], rel=1e-15)
    assert pair[1]["input"][0, 1] == pytest.approx(alone[1]["input"].item(), rel=1e-15)


def test_c2_second_derivatives() -> None:
    """Convexity along a logit (A1.7): cross-entropy curves by g(1-g) > 0, the squared error changes its sign."""
    a = np.linspace(-4, 4, 9)
    g = 1 / (1 + np.exp(-a))
    cross = pb.formula("J[i] = softplus(a[i]) - a[i]")
    squared = pb.formula("J[i] = (1 - sigmoid(a[i]))^2")
    for loss, expected in ((cross, g * (1 - g)), (squared, -2 * g * (1 - g) ** 2 * (1 - 3 * g))):
        second = loss.derivative("a").derivative("a")(a=a)
        assert np.array([second[i, i, i] for i in range(9)]) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert (expected < 0).any() and (expected > 0).any()


# --- c3: convolution in one dimension ---------------------------------------------------------------------------------


def test_c3_all_conventions_against_numpy() -> None:
    """valid, full and same_low, both flips, every d and k up to 6: numpy.convolve and numpy.correlate, exactly."""
    ran = 0
    for d, k in places(7, 7):
        if not 1 <= k <= d:
            continue
        x, w = RNG.integers(-5, 6, d).astype(float), RNG.integers(-5, 6, k).astype(float)
        for padding, mode in (("valid", "valid"), ("full", "full"), ("same_low", "same")):
            for flip, numpy in ((True, np.convolve), (False, np.correlate)):
                found = run(nn.Conv1d(1, k, 1, padding, flip=flip, bias=False), x[:, None], {"conv1d_1.w": w})
                assert found.ravel().tolist() == numpy(x, w, mode).tolist()
                ran += 1
    assert ran == 126


@pytest.mark.parametrize("padding", ["valid", "full"])
def test_c3_toeplitz_and_adjoint(padding: str) -> None:
    """The Jacobian is banded Toeplitz (A5.2a, A5.5a); the gradients are A5.3g, A5.6f, A5.7; <Cx,g> = <x,C'g>."""
    low, extent = {"valid": ("0", "d-k+1"), "full": ("(k-1)", "d+k-1")}[padding]
    conv = pb.formula(f"y[n] = sum(j) x[n+j-{low}]*w[j] where x: d, w: k, x pads 0, n < {extent}")
    for d, k in ((5, 3), (4, 4), (6, 1)):
        x, w = RNG.integers(-4, 5, d).astype(float), RNG.integers(-4, 5, k).astype(float)
        y = conv(x=x, w=w)
        g = RNG.integers(-4, 5, len(y)).astype(float)
        matrix = conv.derivative("x")(x=x, w=w)
        shift = 0 if padding == "valid" else k - 1
        for i, n in places(*matrix.shape):
            assert matrix[i, n] == at(w, n - i + shift)
        assert (matrix @ x).tolist() == y.tolist()
        found = conv.gradients({"x": x, "w": w}, g)
        assert found["x"].tolist() == (g @ matrix).tolist()
        assert found["x"].tolist() == np.convolve(g, w, "full" if padding == "valid" else "valid").tolist()
        by_w = np.correlate(x, g, "valid") if padding == "valid" else np.correlate(g, x, "valid")[::-1]
        assert found["w"].tolist() == by_w.tolist()
        assert (y * g).sum() == (x * found["x"]).sum()


# --- c4: convolution in two dimensions --------------------------------------------------------------------------------


def loops(x: Array, w: Array, stride: tuple, pads: tuple, flip: bool) -> Iterator[tuple]:
    """(output place, input place or None, weight place) of every product of a convolution, straight from E1."""
    P, Q_, R, K = w.shape
    H, W = (
        (n + sum(pad) - size) // s + 1 for n, pad, size, s in zip(x.shape, pads, (P, Q_), stride, strict=False)
    )
    for i, j, k, p, q, r in places(H, W, K, P, Q_, R):
        t, u = stride[0] * i + p - pads[0][0], stride[1] * j + q - pads[1][0]
        inside = 0 <= t < x.shape[0] and 0 <= u < x.shape[1]
        weight = (P - 1 - p, Q_ - 1 - q, r, k) if flip else (p, q, r, k)
        yield (i, j, k), (t, u, r) if inside else None, weight


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("stride", "pads"),
    [((1, 1), ((0, 0), (0, 0))), ((2, 3), ((0, 0), (0, 0))), ((1, 2), ((0, 2), (1, 0))), ((3, 1), ((2, 1), (1, 1)))],
)
def test_c4_convolution_and_both_gradients(flip: bool, stride: tuple, pads: tuple) -> None:
    """Strides per axis, pads per side, channels: forward, dx, dw, db by explicit loops, exactly (E1 to E3)."""
    x, w = RNG.integers(-3, 4, (5, 7, 2)).astype(float), RNG.integers(-3, 4, (3, 2, 2, 3)).astype(float)
    b = np.array([1.0, -2, 3])
    net, numbers = nn.Conv2d(3, (3, 2), stride, pads, flip=flip), {"conv2d_1.w": w, "conv2d_1.b": b}
    y = run(net, x, numbers)
    g = RNG.integers(-3, 4, y.shape).astype(float)
    expected, dx, dw = np.zeros(y.shape) + b, np.zeros_like(x), np.zeros_like(w)
    for out, into, weight in loops(x, w, stride, pads, flip):
        if into is not None:
            expected[out] += x[into] * w[weight]
            dx[into] += g[out] * w[weight]
            dw[weight] += g[out] * x[into]
    found = pull(net, x, g, numbers)
    assert np.array_equal(y, expected)
    assert np.array_equal(found["input"], dx)
    assert np.array_equal(found["conv2d_1.w"], dw)
    assert np.array_equal(found["conv2d_1.b"], g.sum(axis=(0, 1)))


def test_c4_shapes_and_parameter_counts() -> None:
    """floor((n + lo + hi - d*(k-1) - 1)/s) + 1 against windows that are laid and counted, convolution and pooling."""
    ran = 0
    for n, k, s, lo, hi, d in places(7, 4, 4, 2, 3, 3):
        reach = d * (k - 1) + 1
        laid = sum(1 for start in range(-lo, n + hi - reach + 1) if (start + lo) % max(s, 1) == 0)
        if not (n and k and s and d) or laid == 0:
            continue
        assert nn.build(nn.Conv1d(2, k, s, ((lo, hi),), d), (n, 1)).output_shape == (laid, 2)
        ran += 1
        if d == 1 and max(lo, hi) < k:
            assert nn.build(nn.MaxPool1d(k, s, ((lo, hi),)), (n, 1)).output_shape == (laid, 1)
            ran += 1
    assert ran == 759
    sizes = {}
    for bias in (False, True, "position"):
        model = model_of(nn.Conv2d(64, 3, padding=1, bias=bias), (4, 4, 32))
        sizes[bias] = sum(array.size for array in model.parameters.values())
    assert sizes == {False: 18432, True: 18496, "position": 18432 + 4 * 4 * 64}  # A4.2


# --- c5: pooling ------------------------------------------------------------------------------------------------------


def test_c5_pools() -> None:
    """By window or by output size (C4); the average is a fixed diagonal convolution (B2, C2)."""
    x = RNG.integers(-9, 10, (4, 6, 2)).astype(float)
    expected = np.empty((2, 2, 2))
    for i, j, c in places(2, 2, 2):
        expected[i, j, c] = max(x[2 * i + p, 3 * j + q, c] for p, q in places(2, 3))
    for pool in (nn.MaxPool2d((2, 3)), nn.MaxPool2d(output=2)):
        assert np.array_equal(run(pool, x), expected)
    diagonal = np.einsum("pq,cd->pqcd", np.full((2, 2), 0.25), np.eye(2))
    mean = run(nn.AvgPool2d(2), x)
    assert np.array_equal(run(nn.Conv2d(2, 2, 2, bias=False), x, {"conv2d_1.w": diagonal}), mean)
    assert np.array_equal(run(nn.FixedConv([[0.25, 0.25]] * 2, stride=2), x), mean)
    assert np.array_equal(mean, x.reshape(2, 2, 3, 2, 2).mean(axis=(1, 3)))


@pytest.mark.parametrize("sigma", [nn.ReLU(), nn.Sigmoid(), nn.Tanh(), nn.Step(), nn.Formula("y = step(x[] + 99)")])
def test_c5_max_pool_commutes_with_what_does_not_fall(sigma: nn.Layer) -> None:
    """B4, bit for bit; and not for -x."""
    x = RNG.normal(size=(6, 9, 2))
    pool, falling = nn.MaxPool2d((2, 3)), nn.Formula("y = -x[]")
    for own, same in ((sigma, True), (falling, False)):
        orders = [run(nn.Sequential(*layers), x) for layers in ((own, pool), (pool, own))]
        assert np.array_equal(*orders) == same


# --- c6: dense, flatten, residual, perceptron, DCT --------------------------------------------------------------------


def test_c6_flatten_and_back() -> None:
    """F[i*J*K + j*K + k] = x[i,j,k] (E5), its inverse, and another order of axes."""
    x = np.arange(24.0).reshape(2, 3, 4)
    assert run(nn.Flatten(), x).tolist() == list(range(24))
    assert np.array_equal(run(nn.Sequential(nn.Flatten(), nn.Unflatten((2, 3, 4))), x), x)
    by_channel = run(nn.Sequential(nn.Permute((2, 0, 1)), nn.Flatten()), x)
    assert by_channel.tolist() == [x[i, j, k] for k, i, j in places(4, 2, 3)]


def test_c6_skip_connection() -> None:
    """G15 with a residual layer: f3(y) + y; and the shapes must agree."""
    net = nn.Sequential(nn.Dense(1, bias=False), nn.Dense(1, bias=False), nn.Residual(nn.Dense(1, bias=False)))
    numbers = {"dense_1.w": 3, "dense_2.w": 5, "dense_3.w": 7}
    assert run(net, [2.0], numbers).tolist() == [240]
    found = pull(net, [2.0], [1], numbers)
    assert [found[f"dense_{i}.w"].item() for i in (1, 2, 3)] == [80, 48, 30]
    with pytest.raises(pb.ModelError, match="residual_1"):
        pb.Model(nn.Residual(nn.Dense(3)), (2,))


def test_c6_truth_tables_of_perceptrons() -> None:
    """NAND (D1) over a grid of whole (w1, w2, b): it is computed exactly where the four inequalities hold."""
    unit, inputs = nn.Sequential(nn.Dense(1), nn.Step()), np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    model, right = model_of(unit, (2,)), 0
    for w1, w2, b in places(9, 9, 9):
        w1, w2, b = w1 - 4, w2 - 4, b - 4
        model.set_parameters({"dense_1.w": [[w1], [w2]], "dense_1.b": [b]})
        nand = model.predict(inputs).ravel().tolist() == [1, 1, 1, 0]
        assert nand == (b >= 0 and b + w1 >= 0 and b + w2 >= 0 and b + w1 + w2 < 0)
        right += nand
    assert right == sum(b * (b + 1) // 2 for b in range(5))  # pairs u, v >= 0 with u + v < b
    model.set_parameters({"dense_1.w": [[-2], [-2]], "dense_1.b": [3]})
    assert model.predict(inputs).ravel().tolist() == [1, 1, 1, 0]


def test_c6_dct_is_a_filter_bank() -> None:
    """D2i: N filters of N taps with stride N; as true convolution the taps are stored reversed."""
    m = np.array([[np.cos(np.pi * (j + 0.5) * k / 4) for j in range(4)] for k in range(4)])
    x = RNG.integers(-4, 5, (8, 1)).astype(float)
    bank = m.T[:, None, :]
    expected = [m @ x[:4, 0], m @ x[4:, 0]]
    assert run(nn.FixedConv(bank, stride=4), x) == pytest.approx(np.array(expected), abs=1e-12)
    assert run(nn.FixedConv(bank[::-1], stride=4, flip=True), x) == pytest.approx(np.array(expected), abs=1e-12)
    assert run(nn.DCT1d("raw"), x[:4]).ravel() == pytest.approx(m @ x[:4, 0], abs=1e-12)


# --- c7: Jacobians ----------------------------------------------------------------------------------------------------


def test_c7_jacobians_of_an_mlp_by_layer() -> None:
    """B6: dy/dA_l = diag(s'(z_l)) (dy/dy_l)^T y_{l-1}^T for every layer, by matrix products; rank 3; the VJP."""
    net = pb.formula(
        "z1[i] = sum(j) A1[i,j]*y0[j] + b1[i]; y1[i] = tanh(z1[i])\n"
        "z2[i] = sum(j) A2[i,j]*y1[j] + b2[i]; y2[i] = tanh(z2[i])\n"
        "y[k] = sum(i) A3[k,i]*y2[i] + b3[k]"
    )
    sizes = {"A1": (5, 3), "b1": (5,), "A2": (4, 5), "b2": (4,), "A3": (1, 4), "b3": (1,), "y0": (3,)}
    v = {name: RNG.normal(size=shape) for name, shape in sizes.items()}
    y1 = np.tanh(v["A1"] @ v["y0"] + v["b1"])
    y2 = np.tanh(v["A2"] @ y1 + v["b2"])
    by_y2 = v["A3"]
    by_y1 = by_y2 @ np.diag(1 - y2**2) @ v["A2"]
    expected = {
        "A3": y2[None], "A2": np.diag(1 - y2**2) @ by_y2.T @ y1[None],
        "A1": np.diag(1 - y1**2) @ by_y1.T @ v["y0"][None],
        "b2": (by_y2 @ np.diag(1 - y2**2))[0], "b1": (by_y1 @ np.diag(1 - y1**2))[0],
        "y0": (by_y1 @ np.diag(1 - y1**2) @ v["A1"])[0],
    }  # fmt: skip
    for name, jacobian in expected.items():
        assert net.derivative(name)(**v)[0] == pytest.approx(jacobian, rel=1e-12)
        assert net.gradients(v, np.ones(1), [name])[name] == pytest.approx(jacobian, rel=1e-12)
    layer = pb.formula("z[k] = sum(i) W[k,i]*x[i]")
    rank3 = layer.derivative("W")(W=v["A1"], x=v["y0"])
    assert rank3.shape == (5, 5, 3)
    for k, i, j in places(5, 5, 3):
        assert rank3[k, i, j] == (v["y0"][j] if i == k else 0)
