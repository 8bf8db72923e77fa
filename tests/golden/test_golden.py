"""The golden tests G1 to G19 of the catalogue, in the exact engine, each named by its id.

Every number here was given by the catalogue; none was computed by this package.
"""

from __future__ import annotations

from fractions import Fraction as Q
from itertools import product

import numpy as np
import pytest
from tests.golden.exactly import agrees, as_float, log, near, run

import paperback as pb
from paperback import nn
from paperback.nn.network import build

BCE = pb.formula("L = softplus(a[]) - a[]*y[]", a="", y="")
SQUARED = pb.formula("L = (y[] - sigmoid(a[]))^2", a="", y="")
SOFTMAX = pb.formula("S[i] = exp(z[i] - logsumexp(k) z[k])")


def test_g1_losses_of_a_sigmoid_unit() -> None:
    a = log(3)
    assert agrees(run(pb.formula("g = sigmoid(a[])", a=""), a=a), Q(3, 4))
    assert agrees(run(BCE, a=a, y=1), log(Q(4, 3)))
    assert agrees(run(BCE.derivative("a"), a=a, y=1), Q(-1, 4))
    assert agrees(run(SQUARED, a=a, y=1), Q(1, 16))
    assert agrees(run(SQUARED.derivative("a"), a=a, y=1), Q(-3, 32))
    assert agrees(run(BCE, a=0, y=1), log(2))
    assert agrees(run(BCE.derivative("a"), a=0, y=1), Q(-1, 2))
    assert agrees(run(SQUARED, a=0, y=1), Q(1, 4))
    assert agrees(run(SQUARED.derivative("a"), a=0, y=1), Q(-1, 4))


def test_g2_second_derivatives() -> None:
    loss = pb.formula("L = (y[] - g[])^2", y="", g="")
    hessian = [[run(loss.derivative(u).derivative(v), y=Q(1, 3), g=Q(2, 7)) for v in "yg"] for u in "yg"]
    assert agrees(hessian, [[2, -2], [-2, 2]])
    eigenvalues = np.linalg.eigvalsh(np.array(hessian, dtype=float))
    assert near(eigenvalues, [0, 4])
    curvature = pb.formula("L = (1 - sigmoid(a[]))^2", a="").derivative("a").derivative("a")
    assert agrees(run(curvature, a=log(Q(1, 3))), Q(-9, 128))
    assert agrees(run(curvature, a=0), Q(1, 8))


def test_g3_softmax_and_its_jacobian() -> None:
    assert agrees(run(SOFTMAX, z=[0, log(3)]), [Q(1, 4), Q(3, 4)])
    assert agrees(run(SOFTMAX, z=[1000, log(3) + 1000]), [Q(1, 4), Q(3, 4)])
    z = [0, log(2), log(3)]
    assert agrees(run(SOFTMAX, z=z), [Q(1, 6), Q(1, 3), Q(1, 2)])
    jacobian = [[Q(5, 36), Q(-1, 18), Q(-1, 12)], [Q(-1, 18), Q(2, 9), Q(-1, 6)], [Q(-1, 12), Q(-1, 6), Q(1, 4)]]
    assert agrees(run(SOFTMAX.derivative("z"), z=z), jacobian)


def test_g4_a_sigmoid_network_is_a_tanh_network() -> None:
    network = "y[k] = sum(j) v[k,j] * {}(sum(i) w[j,i]*x[i] + b[j]) + c[k]"
    sigmoid, tanh = (pb.formula(network.format(name)) for name in ("sigmoid", "tanh"))
    for x in (Q(-3), Q(-1, 2), Q(0), Q(1, 7), Q(5, 2)):
        left = run(sigmoid, x=[x], w=[[2]], b=[1], v=[[3]], c=[-1])
        right = run(tanh, x=[x], w=[[1]], b=[Q(1, 2)], v=[[Q(3, 2)]], c=[Q(1, 2)])
        assert agrees(left, right)


def test_g5_shapes_and_parameter_counts() -> None:
    net = nn.Sequential(nn.Conv2d(32, 8, stride=2, padding=3), nn.MaxPool2d(2), nn.Conv2d(64, 3, padding=1))
    network = build(net, (128, 128, 3))
    assert [layer.output_shape for layer in network.layers] == [(64, 64, 32), (32, 32, 32), (32, 32, 64)]
    assert int(np.prod(network.output_shape)) == 65536
    counts = {name: int(np.prod(spec.shape)) for name, spec in network.parameters.items()}
    assert counts["conv2d_2.w"] == 18432
    assert counts["conv2d_2.w"] + counts["conv2d_2.b"] == 18496
    assert counts["conv2d_1.w"] == 6144
    assert counts["conv2d_1.w"] + counts["conv2d_1.b"] == 6176


CONVOLVED = {
    ("valid", True): [5, 8],
    ("full", True): [1, 2, 5, 8, 6, 8],
    ("same", True): [2, 5, 8, 6],
    ("valid", False): [7, 10],
    ("full", False): [2, 4, 7, 10, 3, 4],
    ("same", False): [4, 7, 10, 3],
}


@pytest.mark.parametrize(("padding", "flip"), CONVOLVED)
def test_g6_convolution_in_one_dimension(padding: str, flip: bool) -> None:
    shift, extent = {"valid": ("0", "d-k+1"), "full": ("(k-1)", "d+k-1"), "same": ("1", "d")}[padding]
    kernel = "w[k-1-j]" if flip else "w[j]"
    text = f"y[n] = sum(j) x[n+j-{shift}] * {kernel} where x: d, w: k, x pads 0, n < {extent}"
    assert agrees(run(pb.formula(text), x=[1, 2, 3, 4], w=[1, 0, 2]), CONVOLVED[padding, flip])
    model = pb.Model(nn.Conv1d(1, 3, padding=padding, flip=flip, bias=False), (4, 1), dtype="float64")
    model.set_parameters({"conv1d_1.w": np.array([1.0, 0, 2]).reshape(3, 1, 1)})
    assert model.predict(np.array([1.0, 2, 3, 4]).reshape(1, 4, 1)).ravel().tolist() == CONVOLVED[padding, flip]


X = [1, -2, 3, 0, 2, -1, 4]


def test_g7_two_valid_correlations() -> None:
    first = pb.formula("a1[n] = sum(j) x[n+j]*w1[j]")
    second = pb.formula("a2[n] = sum(j) h1[n+j]*w2[j]")
    w1, w2, g = [1, 2], [1, -1, 3], [1, 2, -1, 1]
    a1, h1 = [-3, 4, 3, 4, 0, 7], [0, 4, 3, 4, 0, 7]
    assert agrees(run(first, x=X, w1=w1), a1)
    assert agrees(run(pb.formula("h1[n] = relu(a1[n])"), a1=a1), h1)
    assert agrees(run(second, h1=h1, w2=w2), [5, 13, -1, 25])
    assert agrees(run(second.vjp("h1"), h1=h1, w2=w2, da2=g), [1, 1, 0, 8, -4, 3])
    assert agrees(run(second.vjp("w2"), h1=h1, w2=w2, da2=g), [9, 6, 18])
    upper = "h1[n] = relu(a1[n]); a2[n] = sum(j) h1[n+j]*w2[j]"
    half = pb.formula(upper, conventions=pb.Conventions(relu_at_zero=Q(1, 2)))
    assert agrees(run(pb.formula(upper).vjp("a1"), a1=a1, w2=w2, da2=g), [0, 1, 0, 8, 0, 3])
    assert agrees(run(half.vjp("a1"), a1=a1, w2=w2, da2=g), [0, 1, 0, 8, -2, 3])
    whole = pb.formula("a1[n] = sum(j) x[n+j]*w1[j]; " + upper)
    assert agrees(run(whole.vjp("w1"), x=X, w1=w1, w2=w2, da2=g), [-5, 31])
    assert agrees(run(whole.vjp("x"), x=X, w1=w1, w2=w2, da2=g), [0, 1, 2, 8, 16, 3, 6])


def test_g8_two_full_correlations() -> None:
    first = pb.formula("a1[n] = sum(j) x[n+j-(k-1)]*w1[j] where x: d, w1: k, x pads 0, n < d+k-1")
    second = pb.formula("a2[n] = sum(j) h1[n+j-(k-1)]*w2[j] where h1: d, w2: k, h1 pads 0, n < d+k-1")
    h1, w2 = [2, 0, 4, 3, 4, 0, 7, 4], [1, -1, 3]
    assert agrees(run(first, x=X, w1=[1, 2]), [2, -3, 4, 3, 4, 0, 7, 4])
    assert agrees(run(second, h1=h1, w2=w2), [6, -2, 14, 5, 13, -1, 25, 5, 3, 4])
    g = [1, 2, -1, 1, 0, 3, -2, 1, 2, 1]
    assert agrees(run(second.vjp("h1"), h1=h1, w2=w2, da2=g), [0, 8, -4, 6, -5, 12, -5, 2])


def test_g9_finite_differences_are_a_convolution() -> None:
    layer = pb.formula("Y[l,i,j] = sum(a,b) w[l,a,b]*X[i+a-1,j+b-1] where X: H W, X pads 0, i < H, j < W")
    w = [[[0, 0, 0], [0, -1, 0], [0, 1, 0]], [[0, 0, 0], [0, -1, 1], [0, 0, 0]]]
    assert agrees(run(layer, X=[[1, 2], [3, 4]], w=w), [[[2, 2], [-3, -4]], [[1, -2], [1, -4]]])


def test_g10_means_of_ones() -> None:
    pool = pb.formula("y[i,j,c] = sum(p<k,q<k) x[k*i+p,k*j+q,c]/k^2", k=2)
    assert agrees(run(pool, x=np.ones((4, 6, 2), dtype=int)), np.ones((2, 3, 2), dtype=int))
    grey = pb.formula("Y[i,j] = sum(c) w[c]*X[c,i,j]")
    assert agrees(run(grey, w=[Q("0.299"), Q("0.587"), Q("0.114")], X=np.ones((3, 1, 2), dtype=int)), [[1, 1]])


@pytest.mark.parametrize(
    ("sigma", "y", "db1", "dA1", "dA2", "dx"),
    [
        ("{}^2", Q(71, 2), (10, 4, 12), ((20, 10), (8, 4), (24, 12)), ((25, 1, 4),), (6, 60)),
        ("relu({})", Q(23, 2), (1, 0, 3), ((2, 1), (0, 0), (6, 3)), ((5, 0, 2),), (1, 11)),
    ],
    ids=["square", "relu"],
)
def test_g11_jacobians_of_an_mlp(sigma: str, y: Q, db1: tuple, dA1: tuple, dA2: tuple, dx: tuple) -> None:
    net = pb.formula(
        "z1[i] = sum(j) A1[i,j]*x[j] + b1[i]\n"
        f"y1[i] = {sigma.format('z1[i]')}\n"
        "y[k] = sum(i) A2[k,i]*y1[i] + b2[k]"
    )
    given = {"A1": [[1, 2], [-1, 1], [0, 3]], "b1": [1, 0, -1], "A2": [[1, -2, 3]], "b2": [Q(1, 2)], "x": [2, 1]}
    assert agrees(run(net, **given), [y])
    for name, expected in {"b1": db1, "A1": dA1, "A2": dA2, "x": dx}.items():
        assert agrees(run(net.vjp(name), **given, dy=[1]), expected), name
        assert agrees(run(net.derivative(name), **given)[0], expected), name


def test_g12_nand_is_a_perceptron() -> None:
    before = pb.formula("a = sum(i) w[i]*x[i] + b[]", b="")
    after = pb.formula("f = step(sum(i) w[i]*x[i] + b[])", b="")
    inputs = [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [run(before, w=[-2, -2], x=x, b=3) for x in inputs] == [3, 1, 1, -1]
    assert [run(after, w=[-2, -2], x=x, b=3) for x in inputs] == [1, 1, 1, 0]


def test_g13_the_discrete_cosine_transform() -> None:
    raw = pb.formula("Y[k] = sum(j) x[j]*cos(pi*(j + 1/2)*k/N) where x: N, k < N")
    values = run(raw, x=[1, 2, 3, 4])
    assert near(values, [10, -3.15432202989895, 0, -0.224170764583984], 1e-14)
    assert near([2 * v for v in values], [20, -6.30864405979790, 0, -0.448341529167967], 1e-14)
    orthonormal = [scale * as_float(v) for scale, v in zip([0.5] + [np.sqrt(0.5)] * 3, values, strict=True)]
    assert near(orthonormal, [5, -2.23044249738766, 0, -0.158512667781108], 1e-14)
    c1, c3, r = np.cos(np.pi / 8), np.cos(3 * np.pi / 8), np.sqrt(0.5)
    filters = run(pb.formula("M[k,j] = cos(pi*(j + 1/2)*k/4) where k < 4, j < 4"))
    assert near(filters, [[1] * 4, [c1, c3, -c3, -c1], [r, -r, -r, r], [c3, -c1, c1, -c3]], 1e-15)


def test_g14_jacobians_of_a_sigmoid_layer() -> None:
    layer = pb.formula("f[k] = sigmoid(sum(i) W[k,i]*x[i] + b[k])")
    W, x = [[2, 1, 0], [0, 0, 0], [1, 0, -2], [0, 1, 4]], [1, -2, Q(1, 2)]
    given = {"W": W, "x": x, "b": [0] * 4}
    assert agrees(run(layer, **given), [Q(1, 2)] * 4)
    assert agrees(run(layer.derivative("x"), **given), np.array(W, dtype=object) * Q(1, 4))
    assert agrees(run(layer.derivative("b"), **given), np.eye(4, dtype=int) * Q(1, 4))
    row = [Q(1, 4), Q(-1, 2), Q(1, 8)]
    expected = [[[row[j] if k == i else 0 for j in range(3)] for i in range(4)] for k in range(4)]
    assert agrees(run(layer.derivative("W"), **given), expected)


def test_g15_a_skip_adds_a_term() -> None:
    plain = "u = x[]*p[]; y = u*q[]; F = y*r[]"
    skip = "u = x[]*p[]; y = u*q[]; G = y*r[] + y"
    axes = dict.fromkeys(["x", "p", "q", "r"], "")
    given = {"x": 2, "p": 3, "q": 5, "r": 7}
    for text, value, gradients in ((plain, 210, (70, 42, 30)), (skip, 240, (80, 48, 30))):
        net = pb.formula(text, **axes)
        assert run(net, **given) == value
        assert tuple(run(net.derivative(name), **given) for name in "pqr") == gradients


@pytest.mark.parametrize(
    ("kernel", "y", "dx", "dw"),
    [
        (
            "w[P-1-p,Q-1-q]",
            [[27, 38, 49], [71, 82, 93]],
            [[5, 3, -5, -3], [12, 12, 1, -1], [4, 4, 1, 0]],
            [[29, 26], [17, 14]],
        ),
        (
            "w[p,q]",
            [[50, 61, 72], [94, 105, 116]],
            [[1, 2, -1, -2], [5, 10, -1, -5], [6, 13, 5, 0]],
            [[14, 17], [26, 29]],
        ),
    ],
    ids=["convolution", "correlation"],
)
def test_g16_convolution_in_two_dimensions(kernel: str, y: list, dx: list, dw: list) -> None:
    conv = pb.formula(f"C[i,j] = sum(p,q) x[i+p,j+q]*{kernel}", x="H W", w="P Q")
    given = {"x": np.arange(1, 13).reshape(3, 4), "w": [[1, 2], [3, 5]]}
    g = [[1, 0, -1], [2, 1, 0]]
    assert agrees(run(conv, **given), y)
    assert agrees(run(conv.vjp("x"), **given, dC=g), dx)
    assert agrees(run(conv.vjp("w"), **given, dC=g), dw)


def test_g17_flatten_is_a_bijection() -> None:
    flatten = pb.formula("F[J*K*i + K*j + k] = x[i,j,k]", x="I J K")
    codes = np.arange(24).reshape(2, 3, 4)
    assert {
        where: int(codes[where]) for where in ((0, 0, 3), (0, 1, 0), (1, 0, 0), (1, 2, 3))
    } == {(0, 0, 3): 3, (0, 1, 0): 4, (1, 0, 0): 12, (1, 2, 3): 23}
    assert agrees(run(flatten, x=codes), list(range(24)))
    hit = {tuple(np.argwhere(np.array(run(flatten, x=one), dtype=int))[0]) for one in _units((2, 3, 4))}
    assert len(hit) == 24


def _units(shape: tuple[int, ...]) -> list[np.ndarray]:
    found = []
    for where in product(*map(range, shape)):
        one = np.zeros(shape, dtype=int)
        one[where] = 1
        found.append(one)
    return found


@pytest.mark.parametrize(
    ("ties", "expected"),
    [("first", [[1, 0], [0, 0]]), ("split", [[Q(1, 3), Q(1, 3)], [0, Q(1, 3)]]), ("all", [[1, 1], [0, 1]])],
)
def test_g18_ties_of_a_max_pool(ties: str, expected: list) -> None:
    pool = pb.formula("y[i,j] = max(p<2,q<2) x[2*i+p,2*j+q]", conventions=pb.Conventions(ties=ties))
    assert agrees(run(pool.vjp("x"), x=[[1, 1], [0, 1]], dy=[[1]]), expected)


def test_g18_relu_and_max_pool_commute_but_for_the_slope_at_zero() -> None:
    half = pb.Conventions(relu_at_zero=Q(1, 2))
    before = pb.formula("r[i] = relu(x[i]); y = max(i) r[i]", conventions=half)
    after = pb.formula("m = max(i) x[i]; y = relu(m)", conventions=half)
    x = [-1, 0, -2, -3]
    assert agrees(run(before.vjp("x"), x=x, dy=1), [0, 0, 0, 0])
    assert agrees(run(after.vjp("x"), x=x, dy=1), [0, Q(1, 2), 0, 0])


def test_g19_cross_entropy_of_a_batch() -> None:
    one = pb.formula("J = logsumexp(k) z[k] - sum(k) z[k]*y[k]")
    assert agrees(run(one, z=[0, 0], y=[1, 0]), log(2))
    batch = pb.formula("l[n] = logsumexp(k) z[n,k] - z[n,label[n]] where label int; J = sum(n) l[n]/N where z: N K")
    three_halves_log_two = log(2) + log(2) + log(2)
    value = run(batch, z=[[0, 0], [log(3), 0]], label=[0, 1])
    assert agrees(2 * value, three_halves_log_two)
