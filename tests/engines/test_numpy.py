"""The NumPy engine against plain loops: every node, every way to evaluate a statement, non-finite values, blocks."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from tests.engines.loops import evaluate

from paperback.engines.numpy import run
from paperback.engines.numpy.functions import FUNCTIONS, erf, raise_to
from paperback.engines.numpy.views import Form, check_places
from paperback.errors import EngineError
from paperback.notation.affine import Affine, Letter
from paperback.notation.block import Block
from paperback.notation.read import read

# text, {tensor: shape} (integer tensors: (shape, number of values); scalars: a number), sizes
CASES = {
    # elementwise
    "copy": ("y[i] = x[i]", {"x": (5,)}),
    "transpose": ("y[j,i] = x[i,j]", {"x": (3, 5)}),
    "reverse": ("y[i] = x[N-1-i] where x: N", {"x": (5,)}),
    "diagonal": ("y[i] = x[i,i]", {"x": (4, 4)}),
    "affine": ("y[i,j] = 2*x[i] - 3*z[j] + 1/2", {"x": (3,), "z": (5,)}),
    "quotient": ("y[i,j] = x[i] / z[j] / 3", {"x": (3,), "z": (5,)}),
    "many_terms": ("y[i,j] = x[i] - z[j]*x[i] + z[j] - a[i,j] + 4", {"x": (3,), "z": (5,), "a": (3, 5)}),
    "many_factors": ("y[i,j] = 2*x[i]*z[j]*a[i,j]*x[i]/z[j]", {"x": (3,), "z": (5,), "a": (3, 5)}),
    "powers": ("y[i] = x[i]^2 + x[i]^3 - x[i]^(-2) + (x[i]^2)^(1/2) + (x[i]^2+1)^(-3/2) + (x[i]^2)^(2/3)", {"x": (5,)}),
    "scalars": ("y[i] = a*x[i] + pi where a scalar", {"x": (3,), "a": 0.7}),
    "index_values": ("y[i,j] = x[i]*(2*i - j + 1) + j/3 + N where x: N, j < 4", {"x": (3,)}),
    "constant": ("y[i] = 7 where i < 4", {}),
    "broadcast": ("y[i,j] = x[i] where j < 4", {"x": (3,)}),
    "no_axes": ("y = a*a + 1 where a scalar", {"a": 3.0}),
    "functions": (
        "y[i] = exp(x[i]) + log(x[i]^2) + log1p(x[i]^2) + expm1(x[i]) + sqrt(x[i]^2) + sin(x[i]) + cos(x[i]) "
        "+ tan(x[i]) + tanh(x[i]) + sigmoid(x[i]) + softplus(x[i]) + relu(x[i]) + abs(x[i]) + sign(x[i]) + step(x[i]) "
        "+ erf(x[i])",
        {"x": (11,)},
    ),
    "max_of_two": ("y[i,j] = max(x[i], z[j]) - min(x[i], 2*z[j])", {"x": (3,), "z": (4,)}),
    "twice": ("y[i,j] = exp(x[i])*z[j] + exp(x[i])^2 + z[j]", {"x": (3,), "z": (4,)}),
    # sums and contractions
    "sum": ("y = sum(i,j) x[i,j]", {"x": (3, 5)}),
    "row_sum": ("y[j] = sum(i) x[i,j]", {"x": (3, 5)}),
    "trace": ("y = sum(i) x[i,i]", {"x": (5, 5)}),
    "dot": ("y = sum(i) x[i]*z[i]", {"x": (7,), "z": (7,)}),
    "matrix": ("y[i,k] = sum(j) a[i,j]*b[j,k]", {"a": (3, 5), "b": (5, 4)}),
    "matrix_t": ("y[k,i] = 2 * sum(j) a[j,i]*b[k,j]", {"a": (5, 3), "b": (4, 5)}),
    "batched": ("y[n,i,k] = sum(j) a[n,i,j]*b[k,j,n]", {"a": (2, 3, 5), "b": (4, 5, 2)}),
    "row_dots": ("y[n] = sum(j) a[n,j]*b[n,j]", {"a": (3, 5), "b": (3, 5)}),
    "chain": ("y[i,l] = sum(j,k) a[i,j]*b[j,k]*c[k,l]", {"a": (3, 5), "b": (5, 2), "c": (2, 4)}),
    "bilinear": ("y[n] = sum(j,k) a[n,j]*b[j,k]*c[n,k]", {"a": (3, 5), "b": (5, 2), "c": (3, 2)}),
    "outer": ("y[i,j] = x[i]*z[j]", {"x": (3,), "z": (4,)}),
    "alone": ("y[i] = sum(j,k) a[i,j]*b[k]", {"a": (3, 5), "b": (4,)}),
    "empty_handed": ("y[i] = sum(j,k) x[i] where j < 3, k < 2", {"x": (3,)}),
    "six_factors": (
        "y[i,n] = sum(j,k,l,m) a[i,j]*b[j,k]*c[k,l]*d[l,m]*e[m,n]*f[n]",
        {"a": (2, 3), "b": (3, 2), "c": (2, 4), "d": (4, 2), "e": (2, 3), "f": (3,)},
    ),
    "sum_in_product": ("y[i] = x[i] * (sum(j) a[i,j]*x[j])", {"x": (3,), "a": (3, 3)}),
    "nested_sums": ("y[i] = sum(j) a[i,j] * (sum(k) b[j,k]*x[k])", {"a": (3, 4), "b": (4, 5), "x": (5,)}),
    "sum_of_terms": ("y[i] = sum(j) (a[i,j] - x[j])^2", {"a": (3, 4), "x": (4,)}),
    "distributed": ("y[i,k] = sum(j) (a[i,j]*b[j,k] + c[j] - a[i,j])", {"a": (8, 7), "b": (7, 9), "c": (7,)}),
    "index_in_sum": ("y = sum(i) i*x[i]", {"x": (5,)}),
    # windows
    "conv1": ("y[i] = sum(p) x[i+p]*w[p] where x: H, w: P", {"x": (7,), "w": (3,)}),
    "conv1_flip": ("y[i] = sum(p) x[i+p]*w[P-1-p] where x: H, w: P", {"x": (7,), "w": (3,)}),
    "conv1_dilated": ("y[i] = sum(p) x[3*i+2*p]*w[p] where x: H, w: P", {"x": (11,), "w": (3,)}),
    "conv1_same": ("y[i] = sum(p) x[i+p-1]*w[p] where x: H, x pads 0, i < H", {"x": (5,), "w": (3,)}),
    "conv1_pad_far": ("y[i] = sum(p) x[i+p-9]*w[p] where x: H, x pads 0, i < 20", {"x": (2,), "w": (3,)}),
    "conv2": (
        "y[n,i,j,k] = sum(p,q,r) x[n,2*i+p,j+q,r]*w[p,q,r,k] + b[k]",
        {"x": (2, 7, 5, 3), "w": (3, 2, 3, 4), "b": (4,)},
    ),
    "conv2_weights": (
        "dw[p,q,r,k] = sum(n,i,j) x[n,2*i+p,j+q,r]*dy[n,i,j,k] where p < 3, q < 2",
        {"x": (2, 7, 5, 3), "dy": (2, 3, 4, 4)},
    ),
    "conv2_input": (
        "dx[n,t,u,r] = sum(p,q,k) dy[n,t-p,u-q,k]*w[p,q,r,k] where dy pads 0, t < 9, u < 8",
        {"dy": (3, 7, 5, 6), "w": (3, 4, 2, 6)},
    ),
    "conv2_deltas": (
        "dx[n,t,u,r] = sum(p,q,i,j,k) [t == 2*i+p]*[u == 3*j+q]*dy[n,i,j,k]*w[p,q,r,k] where t < 9, u < 8",
        {"dy": (2, 3, 2, 3), "w": (3, 2, 2, 3)},
    ),
    "depthwise": ("y[i,j,c] = sum(p,q) x[i+p,j+q,c]*w[p,q,c]", {"x": (5, 6, 3), "w": (2, 3, 3)}),
    "depthwise_weights": ("y[p,c] = sum(i) x[i+p,c]*d[i,c] where p < 2", {"x": (5, 3), "d": (4, 3)}),
    "mean_pool": ("y[i,k] = (sum(p) x[3*i+p,k]) / 3 where p < 3", {"x": (8, 2)}),
    "upsample": ("y[i,c] = sum(t) [t == floor(3/3)*i]*x[t,c] where i < 4", {"x": (5, 2)}),
    "transposed": ("y[t] = sum(i,p) [t + 1 == 2*i+p]*x[i]*w[p] where t < 7", {"x": (4,), "w": (3,)}),
    # max, argmax, logsumexp
    "max": ("y[i] = max(j) x[i,j]", {"x": (3, 5)}),
    "min": ("y = min(i,j) x[i,j]", {"x": (3, 5)}),
    "max_pool": ("y[i,j,k] = max(p,q) x[2*i+p,2*j+q,k] where p < 2, q < 3", {"x": (6, 7, 2)}),
    "min_pool": ("y[i,k] = min(p) x[i+p,k] where p < 3", {"x": (6, 2)}),
    "max_pool_pad": ("y[i] = max(p) x[2*i+p-1] where x: H, x pads -inf, p < 3, i < 3", {"x": (5,)}),
    "argmax": ("y[i] = argmax(j,k) x[i,j,k]", {"x": (3, 5, 2)}),
    "argmin": ("y[k] = argmin(i) x[i,k]", {"x": (3, 5)}),
    "argmax_pool": ("y[i,j,k] = argmax(p,q) x[2*i+p,2*j+q,k] where p < 2, q < 3", {"x": (6, 7, 2)}),
    "argmin_pool": ("y[i,k] = argmin(p) x[i+p,k] where p < 3", {"x": (6, 2)}),
    "pool_back": (
        "A[i,k] = argmax(p) x[2*i+p,k] where p < 3\n"
        "dx[t,k] = sum(i,p) [t == 2*i+p]*[A[i,k] == p]*dy[i,k] where x: H K, t < H, p < 3",
        {"x": (7, 2), "dy": (3, 2)},
    ),
    "max_of_body": ("y[i] = max(j) (x[i,j]*z[j] - i)", {"x": (3, 5), "z": (5,)}),
    "max_guarded": ("y[q] = max(m | m <= q) x[q,m]", {"x": (4, 4)}),
    "max_of_nothing": ("y[q] = max(m | m < q) x[q,m]", {"x": (3, 3)}),
    "argmax_guarded": ("y[q] = argmax(m | x[q,m] < 1) x[q,m]", {"x": (6, 4)}),
    "argmax_guarded_pool": ("y[i] = argmax(p | x[i+p] < 1) x[i+p] where p < 3", {"x": (9,)}),
    "logsumexp": ("y[n] = logsumexp(k) z[n,k]", {"z": (3, 5)}),
    "logsumexp_guarded": ("y[q] = logsumexp(m | m <= q) x[q,m]", {"x": (4, 4)}),
    "softmax": ("y[n,k] = exp(z[n,k] - logsumexp(j) z[n,j])", {"z": (3, 5)}),
    "cross_entropy": (
        "y = (sum(n) ((logsumexp(k) z[n,k]) - z[n,t[n]])) / N where z: N K, t: N, t int",
        {"z": (3, 5), "t": ((3,), 5)},
    ),
    # brackets
    "bracket": ("y[i,j] = [i <= j]*x[i,j] + [i == j]", {"x": (4, 4)}),
    "bracket_data": ("y[i] = [x[i] > 0]*x[i] - [x[i] <= 0 and x[i] > -1]*2", {"x": (9,)}),
    "bracket_divides": ("y[i] = [3 | i+1]*x[i]", {"x": (9,)}),
    "bracket_quotient": (
        "y[t] = sum(p) [2 | t-p]*[0 <= t-p < 2*I-1]*x[(t-p)/2]*w[p] where x: I, t < 9",
        {"x": (4,), "w": (3,)},
    ),
    "masked_sum": ("y[q,d] = sum(m | m <= q) a[q,m]*v[m,d]", {"a": (4, 4), "v": (4, 3)}),
    "mask_uncovered": ("y[q,d] = sum(m | m+d <= q) a[q,m]*v[m,d]", {"a": (4, 4), "v": (4, 3)}),
    "mask_data": ("y[d] = sum(q,m) [a[q,m] > 0]*u[q]*v[m,d]", {"a": (4, 5), "u": (4,), "v": (5, 3)}),
    "mask_outside": ("y[q,d] = [q != d]*(sum(m) a[q,m]*v[m,d])", {"a": (4, 4), "v": (4, 3)}),
    "count": ("y[q] = sum(m) [m <= q] where q < 4, m < 5", {}),
    "not_equal": ("y[i,j] = [i != j]*x[i]*x[j]", {"x": (4,)}),
    # gathers
    "gather": ("y[n,d] = w[t[n],d] where t int", {"w": (5, 3), "t": ((4,), 5)}),
    "gather_two": ("y[n,m] = w[t[n],u[m]] where t int, u int", {"w": (5, 3), "t": ((4,), 5), "u": ((2,), 3)}),
    "gather_pick": ("y[n] = w[n,t[n]] where t int", {"w": (4, 3), "t": ((4,), 3)}),
    "gather_sum": ("y[d] = sum(n,m) w[t[n,m],d]*a[n,m] where t int", {"w": (5, 3), "t": ((4, 2), 5), "a": (4, 2)}),
    "gather_shift": ("y[n,i] = w[t[n],i+1] where t int, i < 2", {"w": (5, 3), "t": ((4,), 5)}),
    "one_hot": ("y[n,k] = [t[n] == k] where t int, k < 5", {"t": ((4,), 5)}),
    "scatter": ("dw[v,d] = sum(n) [t[n] == v]*dy[n,d] where t int, v < 5", {"t": ((4,), 5), "dy": (4, 3)}),
    "scatter_two": (
        "dw[v,d] = sum(n,m,k) [t[n,m] == v]*dy[n,d]*a[m,k]*b[k] where t int, v < 5",
        {"t": ((4, 2), 5), "dy": (4, 3), "a": (2, 3), "b": (3,)},
    ),
    "scatter_part": ("dw[v] = sum(n) [v == t[n]]*[x[n] > 0]*x[n] where t int, v < 3", {"t": ((9,), 5), "x": (9,)}),
    "scatter_count": ("c[v] = sum(n) [v == t[n]] where t int, v < 5", {"t": ((9,), 5)}),
    "scatter_own": ("c[v] = sum(n) [v == t[n]]*x[v,n] where t int, v < 5", {"t": ((9,), 5), "x": (5, 9)}),
    "integer_arithmetic": ("y[n,k] = [2*t[n]+1 >= k]*x[k] where t int", {"t": ((4,), 5), "x": (9,)}),
    "integer_value": ("y[n] = t[n]/2 + 1 where t int", {"t": ((4,), 5)}),
    # left sides and several statements
    "flatten": ("f[J*K*i + K*j + k] = x[i,j,k] where x: I J K", {"x": (2, 3, 5)}),
    "gaps": ("y[2*i+1] = x[i] where y pads 5", {"x": (4,)}),
    "two_statements": ("m[i] = sum(j) x[i,j]\ny[i] = m[i]^2", {"x": (3, 4)}),
    "scalar_statement": ("m = sum(j) x[j]\ny[i] = x[i] - m/N where x: N", {"x": (5,)}),
    "batch_norm": (
        "m[c] = sum(n,i) x[n,i,c] / (N*H) where x: N H C, eps scalar\n"
        "v[c] = sum(n,i) (x[n,i,c] - m[c])^2 / (N*H)\n"
        "y[n,i,c] = (x[n,i,c] - m[c]) * (v[c] + eps)^(-1/2) * g[c]",
        {"x": (4, 5, 3), "g": (3,), "eps": 0.01},
    ),
    "attention": (
        "s[q,m] = sum(d) a[q,d]*b[m,d]\n"
        "p[q,m] = [m <= q]*exp(s[q,m] - logsumexp(l | l <= q) s[q,l])\n"
        "y[q,d] = sum(m) p[q,m]*v[m,d]",
        {"a": (4, 3), "b": (4, 3), "v": (4, 2)},
    ),
    # sums inside functions
    "sum_in_function": ("y[i] = tanh(sum(j) a[i,j]*x[j])", {"a": (3, 4), "x": (4,)}),
    "deltas_in_function": ("y[t] = exp(sum(i,p) [t == i+p]*x[i]*w[p]) where t < 6", {"x": (4,), "w": (3,)}),
    "strided_deltas_in_function": ("y[t] = exp(sum(i,p) [t == 2*i+p]*x[i]*w[p]) where t < 9", {"x": (4,), "w": (3,)}),
}


def arrays_of(shapes, seed=0):
    """Short decimals; a pair (shape, count) asks for integers."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in shapes.items():
        if isinstance(shape, float):
            arrays[name] = shape
        elif shape and isinstance(shape[0], tuple):
            arrays[name] = rng.integers(0, shape[1], shape[0])
        else:
            arrays[name] = np.round(rng.normal(size=shape), 2)
    return arrays


def case(name, seed=0):
    text, shapes = CASES[name]
    arrays = arrays_of(shapes, seed)
    return read(text), arrays, {}


def same(got, expected, tolerance=1e-11):
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].shape == value.shape
        assert got[name].dtype.kind == np.asarray(value).dtype.kind, name
        np.testing.assert_allclose(got[name], value, rtol=tolerance, atol=tolerance, err_msg=name)


def test_there_are_cases():
    assert len(CASES) == 101


@pytest.mark.parametrize("name", CASES)
def test_against_loops(name):
    block, arrays, sizes = case(name)
    before = {n: np.copy(a) for n, a in arrays.items()}
    expected = evaluate(block, arrays, sizes)
    got = run(block, arrays, sizes)
    same(got, expected)
    for n, a in arrays.items():
        np.testing.assert_array_equal(a, before[n])
        assert not any(np.may_share_memory(np.asarray(a), r) for r in got.values())
    again = run(block, arrays, sizes)
    assert all(np.array_equal(again[n], r, equal_nan=True) for n, r in got.items())


@pytest.mark.parametrize("name", CASES)
def test_blocks_of_any_size_give_the_same(name):
    block, arrays, sizes = case(name, seed=1)
    expected = evaluate(block, arrays, sizes)
    for limit in (1, 8, 40, 200, 1000):
        same(run(block, arrays, sizes, memory_limit=limit), expected)


@pytest.mark.parametrize("name", CASES)
def test_float32(name):
    block, arrays, sizes = case(name, seed=2)
    small = {n: a.astype(np.float32) if np.ndim(a) and a.dtype.kind == "f" else a for n, a in arrays.items()}
    expected = evaluate(block, small, sizes)
    got = run(block, small, sizes, dtype="float32")
    assert all(a.dtype in (np.float32, np.int64) for a in got.values())
    same(got, expected, 1e-4)


def odd_layouts(array):
    """The same values, otherwise laid out: with gaps, with negative strides, by columns, with swapped bytes."""
    wide = np.empty((*array.shape[:-1], 2 * array.shape[-1]), dtype=array.dtype)
    wide[..., ::2] = array
    yield wide[..., ::2]
    yield np.flip(np.flip(array).copy())
    yield np.asfortranarray(array)
    yield array.astype(array.dtype, copy=True).byteswap().view(array.dtype.newbyteorder())


@pytest.mark.parametrize("name", ["copy", "conv2", "conv2_input", "argmax_pool", "gather_sum", "batch_norm", "flatten"])
def test_layouts(name):
    block, arrays, sizes = case(name)
    expected = run(block, arrays, sizes)
    for which in range(4):
        odd = {n: list(odd_layouts(a))[which] if np.ndim(a) else a for n, a in arrays.items()}
        same(run(block, odd, sizes), expected, 0)
    constant = {n: np.broadcast_to(a.flat[0], a.shape) if np.ndim(a) else a for n, a in arrays.items()}
    same(run(block, constant, sizes), run(block, {n: np.array(a) for n, a in constant.items()}, sizes), 0)
    frozen = {n: np.array(a) for n, a in arrays.items()}
    for a in frozen.values():
        a.flags.writeable = False
    got = run(block, frozen, sizes)
    same(got, expected, 0)
    assert all(a.flags.writeable for a in got.values())


# ---------------------------------------------------------------------------------------------------- non-finite values

LARGE = "functions powers index_values six_factors distributed batch_norm strided_deltas_in_function".split()
SPOILED = [name for name in CASES if name not in LARGE]


@pytest.mark.parametrize("turn", [0, *(pytest.param(turn, marks=pytest.mark.long) for turn in (1, 2))])
def test_non_finite_inputs(turn):
    """One bad entry at a time: NaN, inf and -inf appear exactly where the loops say, and brackets hide them."""
    checked = 0
    for name in SPOILED:
        block, arrays, sizes = case(name, seed=3)
        for spoiled, array in arrays.items():
            if np.ndim(array) == 0 or array.dtype.kind != "f":
                continue
            bad = np.array(array)
            bad.flat[bad.size // 2] = (np.nan, np.inf, -np.inf)[(checked + turn) % 3]
            given = {**arrays, spoiled: bad}
            expected = evaluate(block, given, sizes)
            same(run(block, given, sizes), expected)
            same(run(block, given, sizes, memory_limit=64), expected)
            checked += 1
    assert checked > 100


def test_all_rows_infinite():
    z = np.array([[-np.inf, -np.inf], [np.inf, 0.0], [-np.inf, 2.0], [np.nan, 1.0]])
    got = run(read("y[n] = logsumexp(k) z[n,k]"), {"z": z})["y"]
    np.testing.assert_array_equal(got, [-np.inf, np.inf, 2.0, np.nan])


def test_nan_wins_and_the_first_is_chosen():
    x = np.array([[1.0, np.nan, 3.0, np.nan], [np.inf, np.inf, 2.0, 2.0], [-np.inf] * 4])
    got = run(
        read("m[i] = max(j) x[i,j]\na[i] = argmax(j) x[i,j]\nb[i] = argmin(j) x[i,j]\nr[i,j] = relu(x[i,j])"), {"x": x}
    )
    np.testing.assert_array_equal(got["m"], [np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(got["a"], [1, 0, 0])
    np.testing.assert_array_equal(got["b"], [1, 2, 0])
    np.testing.assert_array_equal(got["r"], np.maximum(x, 0))
    window = read("m[i] = max(p) x[i+p] where p < 2\na[i] = argmax(p) x[i+p] where p < 2")
    got = run(window, {"x": np.array([np.nan, np.nan, 1.0, np.nan, 2.0])})
    np.testing.assert_array_equal(got["a"], [0, 0, 1, 0])
    assert np.isnan(got["m"]).all()


def test_guarded_minus_infinity_is_no_candidate():
    x = np.full(4, -np.inf)
    block = read("a = argmax(i<4 | i >= 2) x[i]\nb[i] = argmax(p | i+p != 0) x[i+p] where p < 3, i < 2")
    got = run(block, {"x": x})
    assert got["a"] == 2
    np.testing.assert_array_equal(got["b"], [1, 0])


def test_a_false_bracket_hides_everything():
    x = np.array([np.nan, np.inf, 1.0, -np.inf])
    got = run(
        read(
            "y[i] = [i == 2]*x[i] where i < 4\n"
            "z = sum(i<4 | i == 2) x[i]*x[i]\n"
            "w[j] = sum(i<4) [i == 2+j]*x[i]*x[i] where j < 1"
        ),
        {"x": x},
    )
    np.testing.assert_array_equal(got["y"], [0, 0, 1, 0])
    assert got["z"] == 1 and got["w"] == [1]
    # padding is a value: 0 * inf is NaN; a guard is not: nothing is multiplied
    pads = read("y[i] = sum(p) x[i+p-1]*w[p] where x: H, x pads 0, i < H")
    guards = read("y[i] = sum(p) [0 <= i+p-1 < H]*x[i+p-1]*w[p] where x: H, i < H")
    given = {"x": np.array([1.0, 2.0, 3.0]), "w": np.array([np.inf, 1.0, 1.0])}
    np.testing.assert_array_equal(run(pads, given)["y"], [np.nan, np.inf, np.inf])
    np.testing.assert_array_equal(run(guards, given)["y"], [3.0, np.inf, np.inf])


def test_guards_inside_comparisons_are_exact():
    """A comparison would hide the NaN by which a padded sum is found out."""
    block = read("y[i] = [sum(p) [0 <= i+p-1 < H]*x[i+p-1]*w[p] > 0] where x: H, i < H")
    given = {"x": np.array([1.0, 2.0, 3.0]), "w": np.array([np.inf, 1.0, 1.0])}
    np.testing.assert_array_equal(run(block, given)["y"], [1, 1, 1])


def test_no_warnings_and_stable_functions():
    x = np.array([-1000.0, -800.0, -40.0, 0.0, 40.0, 800.0, 1000.0])
    text = "\n".join(
        f"{f}_[i] = {f}(x[i])" for f in ("sigmoid", "softplus", "log1p", "exp", "log", "sqrt", "erf", "tanh")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dtype in ("float32", "float64"):
            got = run(read(text), {"x": x}, dtype=dtype)
            assert got["sigmoid_"][0] == 0 and got["sigmoid_"][-1] == 1
            np.testing.assert_allclose(got["sigmoid_"][2], np.exp(-40.0), rtol=1e-6)
            np.testing.assert_array_equal(got["softplus_"][[0, 5, 6]], [0, 800, 1000])
            np.testing.assert_allclose(got["softplus_"][2], np.exp(-40.0), rtol=1e-6)
            assert got["log_"][3] == -np.inf and np.isnan(got["log_"][0])


# ---------------------------------------------------------------------------------------- scalar functions


def test_erf():
    import math

    x = np.concatenate([np.linspace(-7, 7, 20011), [1e-300, 1e-10, -1e-5, 30.0, np.inf, -np.inf]])
    expected = np.array([math.erf(v) for v in x])
    assert np.abs(erf(x) / np.where(expected == 0, 1, expected) - np.where(expected == 0, 0, 1)).max() < 1e-15
    assert np.isnan(erf(np.array([np.nan]))).all()
    single = erf(x.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, [math.erf(v) for v in x.astype(np.float32)], rtol=4e-7)


def test_functions_keep_the_dtype():
    for dtype in (np.float32, np.float64):
        x = np.array([0.25, 0.5], dtype=dtype)
        for name, function in FUNCTIONS.items():
            result = function(x, x) if name in ("max", "min") else function(x)
            assert result.dtype == dtype, name


def test_powers():
    x = np.array([0.5, 2.0, 3.0])
    for exponent in (
        Fraction(1, 2),
        Fraction(-1, 2),
        Fraction(3, 2),
        Fraction(-2),
        Fraction(7),
        Fraction(1, 3),
        Fraction(100),
    ):
        np.testing.assert_allclose(raise_to(x, exponent), x ** float(exponent), rtol=1e-13)
    np.testing.assert_array_equal(raise_to(np.array([-2.0]), Fraction(3)), [-8])
    assert raise_to(np.float32(2), Fraction(1, 3)).dtype == np.float32


# ---------------------------------------------------------------------------------------- what else run does


def test_uninterpreted_functions():
    block = read("y[i] = phi(x[i]) + phi(2) where phi function")
    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(run(block, {"x": x}, functions={"phi": lambda v: v})["y"], x + 2)
    np.testing.assert_array_equal(run(block, {"x": x}, functions={"phi": np.square})["y"], x**2 + 4)
    with pytest.raises(EngineError, match="phi is a function without a definition"):
        run(block, {"x": x})


def test_dtypes():
    block = read("y[i] = x[i]/2 + a where a scalar")
    for given, expected in (
        (np.arange(3), np.float64),
        (np.arange(3, dtype=np.float32), np.float32),
        (np.arange(3, dtype=np.float16), np.float32),
        (np.arange(3.0), np.float64),
        ([1, 2, 3], np.float64),
        (np.array([True, False, True]), np.float64),
    ):
        assert run(block, {"x": given, "a": 1.5})["y"].dtype == expected
    assert run(block, {"x": np.arange(3.0), "a": 1}, dtype=np.float32)["y"].dtype == np.float32


def test_sizes_come_from_shapes_or_are_given():
    block = read("y[i,j] = x[i] + j where z: m, j < m")
    np.testing.assert_array_equal(run(block, {"x": np.ones(2)}, {"m": 3})["y"], [[1, 2, 3]] * 2)
    with pytest.raises(EngineError, match="pass m="):
        run(block, {"x": np.ones(2)})


def test_gathers_are_checked():
    block = read("y[n,d] = w[t[n],d] where t int")
    w = np.ones((5, 3))
    for bad in (5, -1, 100):
        with pytest.raises(EngineError) as error:
            run(block, {"w": w, "t": np.array([0, bad, 1])})
        assert str(error.value) == (
            f"index {bad} at n = 1 is out of range for axis 0 of w\n"
            "  needed: 0 <= index < 5\n"
            "  nothing is clipped or wrapped around: correct the index, or guard the read with a bracket"
        )
    guarded = read("y[n,d] = [0 <= t[n] and t[n] < K]*w[t[n],d] where t int, w: K D")
    got = run(guarded, {"w": w, "t": np.array([0, 7, -1])})["y"]
    np.testing.assert_array_equal(got, [[1] * 3, [0] * 3, [0] * 3])
    hidden = read("y[v] = sum(n) [t[n] == v]*w[t[n],0] where t int, v < 5, w: K D")
    got = run(hidden, {"w": w, "t": np.array([0, 7, 0])})["y"]
    np.testing.assert_array_equal(got, [2, 0, 0, 0, 0])
    inner = read("y[d] = sum(n | 0 <= t[n] < K) w[t[n],d]*v[n] where t int, w: K D")
    got = run(inner, {"w": w, "t": np.array([0, 7, 4]), "v": np.array([1.0, 2.0, 3.0])})["y"]
    np.testing.assert_array_equal(got, [4] * 3)
    for limit in (8, 1000):
        with pytest.raises(EngineError, match="out of range"):
            run(
                read("y[d] = sum(n | t[n] > 0) w[t[n],d] where t int"),
                {"w": w, "t": np.array([0, 7, 4])},
                memory_limit=limit,
            )


def test_errors_before_anything_runs():
    block = read("y[n,k] = sum(i) x[n,i]*w[i,k] where t int\nz[n] = y[n,t[n]]")
    good = {"x": np.ones((2, 3)), "w": np.ones((3, 4)), "t": np.array([0, 1])}
    run(block, good)
    for name, bad, words in (
        ("x", None, "no array for x"),
        ("x", np.ones(3), "axes"),
        ("w", np.ones((5, 4)), "axis 0 of w"),
        ("x", np.ones((2, 3), dtype=complex), "complex"),
        ("x", np.array([["a", "b", "c"]] * 2), "real numbers"),
        ("x", [[1, 2, 3], [1, 2]], "x is no array"),
        ("t", np.array([0.0, 1.0]), "integers"),
    ):
        given = {n: a for n, a in {**good, name: bad}.items() if a is not None}
        with pytest.raises(EngineError, match=words):
            run(block, given)


def test_constants_too_large_for_the_dtype_are_errors():
    for text, dtype, words in (
        ("y[i] = 1e400*x[i]", None, "1.000e\\+400 is too large for float64"),
        ("y[i] = 1e39*x[i]", np.float32, "1.000e\\+39 is too large for float32"),
        ("y = sum(i) 1e400*x[i]", None, "too large"),
        ("y[i] = x[i-1] where x: H, x pads 1e400, i < H", None, "too large"),
        ("y[2*i] = x[i] where x: H, y pads 1e400", None, "too large"),
    ):
        with pytest.raises(EngineError, match=words):
            run(read(text), {"x": np.ones(3)}, dtype=dtype)
    assert run(read("y[i] = 1e39*x[i]"), {"x": np.ones(1)})["y"] == 1e39
    assert run(read("y[i] = x[i]/1e400"), {"x": np.ones(1)})["y"] == 0


def test_the_pad_of_integers_is_exact_in_every_dtype():
    block = read("y[i] = z[t[i-1]] where t: H, t int, t pads 16777217, z: 16777218, i < 2")
    z = np.zeros(16777218, dtype=np.float32)
    z[-1] = 3
    np.testing.assert_array_equal(run(block, {"t": np.array([0]), "z": z})["y"], [3, 0])


def test_a_window_offset_that_only_the_read_has():
    """The products of a sum turned round have no axis for it: they count once for every offset."""
    for text, shapes in (
        ("A[i] = sum(l<4) v[]*w[l+i-2] where i<4, w pads 0, w: 4, v: ()", {"v": (), "w": (4,)}),
        ("A[i] = sum(l<4) v[i]*w[l+i-2] where i<4, w pads 0, w: 4, v: 4", {"v": (4,), "w": (4,)}),
        ("A[i,j] = sum(l<4,k<5) v[l]*w[l+i-2,k+j-3] where i<4, j<6, w pads 0", {"v": (4,), "w": (4, 6)}),
        ("A[i,j] = sum(l<4,k<5) v[k]*w[l+i-2,k+j-3] where i<4, j<6, w pads 0", {"v": (5,), "w": (4, 6)}),
        ("A[i,j,r] = sum(l<3,k<3,c) v[k,c,r]*w[l+i-1,k+j-1,c] where i<40, j<40, w pads 0",
         {"v": (3, 8, 2), "w": (40, 40, 8)}),
    ):  # fmt: skip
        block, arrays = read(text), arrays_of(shapes)
        if "40" not in text:
            same(run(block, arrays), evaluate(block, arrays))
            continue
        w = np.pad(arrays["w"], ((1, 1), (1, 1), (0, 0)))
        shifts = [(l, k) for l in range(3) for k in range(3)]
        same(run(block, arrays), {"A": sum(w[l : l + 40, k : k + 40] @ arrays["v"][k] for l, k in shifts)})


def test_an_empty_loop_is_an_error():
    for text, arrays, sizes, words in (
        ("y[i] = x[i] where x: H", {"x": np.ones(0)}, {}, "size H is 0"),
        ("y[i] = x[i] where x: H, i < H-1", {"x": np.ones(1)}, {}, "H-2 >= 0"),
        ("y = sum(p<H-1) x[p] where x: H", {"x": np.ones(1)}, {}, "H-2 >= 0"),
    ):
        with pytest.raises(EngineError, match=words):
            run(read(text), arrays, sizes)
    for text, words in (
        ("y[i] = x[i] where x: H, i < H-1", "index i of y has 0 values"),
        ("y = max(p<H-1) x[p] where x: H", "index p of y has 0 values"),
    ):
        block = read(text)
        unchecked = Block(block.statements, block.inputs)
        with pytest.raises(EngineError, match=words):
            run(unchecked, {"x": np.ones(1)})


def test_a_place_outside_the_target_is_an_error():
    t, u = Letter.fresh("t"), Letter.fresh("u")
    left = [Form(Affine.of(t) * 2 - u), Form(Affine.of(u))]
    check_places([Form(Affine.of(t) * 2 - u + 1), left[1]], (6, 2), {t: 3, u: 2})
    for forms, shape in ((left, (6, 2)), ([left[1], left[1]], (2, 1)), ([Form(Affine.of(t) * 2), left[1]], (4, 2))):
        with pytest.raises(EngineError, match="would be stored"):
            check_places(forms, shape, {t: 3, u: 2})
