"""The public Formula: what it takes, what it refuses, and what it says then."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import paperback as pb
from paperback.errors import FormulaWarning

CONV = pb.formula("y[i] = sum(p) x[2*i+p]*w[p]", x="H")


def test_sizes_and_axes_as_keywords() -> None:
    assert pb.formula("y[i] = x[s*i]", x="H", s=np.int64(2)).ranges == {"i": "floor((H-1)/2)+1"}
    assert pb.formula("y[i,j] = x[i,j]", x=("H", 3)).shape == ("H", "3")
    assert CONV.inputs == {"x": ("H",), "w": ("P",)}


def test_an_input_may_have_any_name() -> None:
    f = pb.formula("y[i] = self[i]*arrays[i]")
    assert f(self=np.array([2.0]), arrays=np.array([3.0])).tolist() == [6.0]


def test_all_gives_every_statement() -> None:
    values = pb.formula("m = max(i) x[i]; y[i] = x[i] - m").all(x=np.array([1.0, 3.0]))
    assert values["m"] == 3 and values["y"].tolist() == [-2, 0]


def test_sizes_of_a_derivative_that_does_not_read_its_input() -> None:
    vjp = CONV.vjp("x")
    w, g = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0])
    expected = [1, 2, 4, 2, 3, 0]
    assert vjp(w=w, dy=g, H=6).tolist() == expected
    assert vjp(w=w, dy=g, x=np.zeros(6)).tolist() == expected
    assert CONV.gradients({"x": np.zeros(6), "w": w}, g)["x"].tolist() == expected


def test_gradients_of_some_inputs_only() -> None:
    grads = CONV.gradients({"x": np.arange(5.0), "w": np.ones(2)}, np.ones(2), wrt=["w"])
    assert list(grads) == ["w"] and grads["w"].tolist() == [2, 4]


def test_functions_that_a_formula_leaves_open() -> None:
    f = pb.formula("y[i] = phi(x[i])^2 where phi function").with_functions({"phi": np.sin, "phi'": np.cos})
    x = np.array([0.3, 0.5])
    np.testing.assert_allclose(f(x=x), np.sin(x) ** 2)
    np.testing.assert_allclose(f.vjp("x")(x=x, dy=np.ones(2)), 2 * np.sin(x) * np.cos(x))
    np.testing.assert_allclose(f.gradients({"x": x}, np.ones(2))["x"], 2 * np.sin(x) * np.cos(x))


def test_float32_stays_float32() -> None:
    x, w = np.ones(5, np.float32), np.ones(2, np.float32)
    assert CONV(x=x, w=w).dtype == np.float32
    assert CONV(x=x.astype(float), w=w).dtype == np.float64
    assert CONV.gradients({"x": x, "w": w}, np.ones(2, np.float32))["w"].dtype == np.float32


REFUSED: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: pb.formula(3), pb.FormulaError, 'a formula is a text, not 3\n  write it as "y[i] = x[i]^2"'),  # type: ignore[arg-type]
    (
        lambda: pb.formula("y[i] = x[i]", x=3.5),  # type: ignore[arg-type]
        pb.FormulaError,
        "x is given as 3.5, which is neither a size (a whole number) nor axes\n  write x=2 or x=\"H W\"",
    ),
    (
        lambda: CONV.vjp("v"),
        pb.FormulaError,
        "v is no tensor of this formula; there is no derivative by it\n  its tensors are x, w",
    ),
    (
        lambda: pb.formula("y[t] = loss[t]^2").derivative("lose"),
        pb.FormulaError,
        "lose is no tensor of this formula; there is no derivative by it\n  did you mean loss?",
    ),
    (
        lambda: pb.formula("y = lr*x[] where lr scalar").vjp("lr"),
        pb.FormulaError,
        "lr is a scalar; there is no derivative by it\n  write lr[], a tensor without axes, to have its derivative",
    ),
    (
        lambda: pb.formula("y[t] = E[id[t]] where id int").vjp("id"),
        pb.FormulaError,
        "id holds integers; there is no derivative by it\n  its tensors are E",
    ),
    (
        lambda: CONV(x=np.ones(5), w=np.ones(2), z=1),
        pb.EngineError,
        "z is neither an input nor a size of this formula; its inputs are w, x",
    ),
    (
        lambda: CONV.vjp("x")(w=np.ones(2), dy=np.ones(2), H=5.5),
        pb.EngineError,
        "the size H must be a whole number; got 5.5",
    ),
    (
        lambda: pb.Conventions(ties="last"),
        pb.FormulaError,
        "ties must be one of first, split, all; got 'last'",
    ),
    (
        lambda: pb.Conventions(relu_at_zero=2),  # type: ignore[arg-type]
        pb.FormulaError,
        "relu_at_zero must lie in [0, 1], the subgradient of relu at 0; got 2",
    ),
]


@pytest.mark.parametrize(("use", "kind", "message"), REFUSED)
def test_what_is_refused_and_what_is_said(
    use: Callable[[], object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as error:
        use()
    assert str(error.value) == message
    assert isinstance(error.value, pb.PaperbackError)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"z": "N M"}, "z gives M, N, which nothing uses, and is never read: leave it out, or correct its name"),
        ({"x": "I", "X": "J"}, "X gives J, which nothing uses, and is never read: leave it out, or correct its name"),
        ({"z": "3"}, "z is never read: leave it out, or correct its name"),
    ],
)
def test_a_tensor_that_is_not_read_and_gives_no_size_is_warned_of(declared: dict[str, str], message: str) -> None:
    with pytest.warns(FormulaWarning) as caught:
        pb.formula("y[i] = x[i]", **declared)
    assert [str(warning.message) for warning in caught] == [message]
    assert caught[0].filename == __file__


def test_a_tensor_that_is_not_read_may_give_sizes() -> None:
    first = pb.formula("y[i] = x[i] where i < N", x="I", z="N M")
    assert first(x=np.arange(5.0), z=np.zeros((3, 2))).tolist() == [0, 1, 2]
    pb.formula("y[i] = x[i]", x="I", z="I")


def test_a_grouped_convolution_with_names_for_all_sizes_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    text = "y[i,M*g+k] = sum(p,r) x[i+p,R*g+r]*w[p,r,M*g+k] where g < G, C = G*R, K = G*M"
    conv = pb.formula(text, x="L C", w="P R K")
    assert pb.formula(str(conv)) == conv
    rng = np.random.default_rng(0)
    x, w, dy = rng.integers(-4, 5, (7, 6)) / 4, rng.integers(-4, 5, (3, 2, 12)) / 4, rng.integers(-4, 5, (5, 12)) / 4
    given, kernel = (torch.tensor(a, requires_grad=True) for a in (x, w))
    theirs = torch.nn.functional.conv1d(given.T[None], kernel.permute(2, 1, 0), groups=3)[0].T
    theirs.backward(torch.tensor(dy))
    np.testing.assert_array_equal(conv(x=x, w=w), theirs.detach().numpy())
    grads = conv.gradients({"x": x, "w": w}, dy)
    np.testing.assert_array_equal(grads["x"], given.grad.numpy())
    np.testing.assert_array_equal(grads["w"], kernel.grad.numpy())
    with pytest.raises(pb.EngineError, match=r"^an axis G\*R has 7 entries; no whole number G gives that"):
        conv(x=np.ones((7, 7)), w=w)
