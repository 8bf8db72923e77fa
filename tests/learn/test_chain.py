"""The chain rule written out: its factors multiply to the gradient, and what is printed is what is multiplied.

Referees: the backward sweep of the compiled engine, differences of the loss, and MLP formulas by hand in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paperback.errors import ModelError
from paperback.formulas import formula
from paperback.learn.model import Model
from paperback.learn.presets import PRESETS
from paperback.learn.studies import chain as chains
from paperback.learn.studies import links
from paperback.learn.studies.forward import Forward
from paperback.nn import layers as nn
from paperback.nn.losses import LOSSES, Loss, huber, softmax_cross_entropy

Array = np.ndarray[Any, Any]

SUM = nn.Add(nn.Identity(), nn.Sequential(nn.Dense(4), nn.Tanh()), nn.Residual(nn.Dense(4)))
GATE = nn.Multiply(nn.Dense(2), nn.Sequential(nn.Dense(2), nn.Sigmoid()))
NETS: dict[str, tuple[nn.Layer, tuple[int, ...], dict[str, Any]]] = {
    "mlp": (nn.Sequential(nn.Dense(4), nn.Tanh(), nn.Dense(3)), (5,), {}),
    "lenet": (PRESETS["lenet"]((8, 8, 1), 3), (8, 8, 1), {}),
    "flipped convolutions": (
        nn.Sequential(nn.Conv2d(2, 3, stride=2, padding="same", flip=True), nn.AvgPool2d(2), nn.Flatten(), nn.Dense(3)),
        (7, 9, 2), {},
    ),
    "residual": (nn.Sequential(nn.Dense(4), nn.Residual(nn.Dense(4), nn.Tanh(), nn.Dense(4)), nn.Dense(3)), (5,), {}),
    "residual in residual": (
        nn.Sequential(nn.Residual(nn.Tanh(), nn.Residual(nn.Dense(4)), nn.Dense(4)), nn.Dense(3)), (4,), {},
    ),
    "parallel": (nn.Sequential(nn.Parallel(nn.Dense(2), GATE, SUM), nn.ELU(), nn.Dense(3)), (4,), {}),
    "batch norm, inference": (nn.Sequential(nn.Dense(4), nn.BatchNorm(), nn.ReLU(), nn.Dense(3)), (5,), {}),
    "batch norm, training": (
        nn.Sequential(nn.Dense(4), nn.Residual(nn.BatchNorm(), nn.Tanh()), nn.Dense(3)), (5,), {"training": True},
    ),
    "dropout, training": (nn.Sequential(nn.Dense(6), nn.Dropout(0.5), nn.Dense(3)), (5,), {"training": True}),
    "layer norm": (nn.Sequential(nn.Dense(4), nn.LayerNorm(), nn.GELU(), nn.Dense(3)), (5,), {}),
    "attention": (
        nn.Sequential(nn.Embedding(7, 4), nn.PositionalEncoding(), nn.Residual(nn.MultiHeadAttention(2)),
                      nn.Flatten(), nn.Dense(3)),
        (5,), {},
    ),
    "channels first": (
        nn.Sequential(nn.Conv2d(2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(3)), (2, 6, 8), {"layout": "NCHW"},
    ),
    "a sum over the batch": (
        nn.Sequential(nn.Dense(4), nn.Tanh(), nn.Dense(3)), (5,),
        {"loss": Loss.named("softmax_cross_entropy").reduced("sum")},
    ),
}  # fmt: skip
for name, loss in {**LOSSES, "huber(0.3)": huber(0.3), "smoothed": softmax_cross_entropy(smoothing=0.2)}.items():
    last = [nn.Sigmoid()] if name == "probability_cross_entropy" else []
    NETS[name] = (nn.Sequential(nn.Dense(4), nn.Tanh(), nn.Dense(3), *last), (5,), {"loss": loss})


def example(name: str, count: int = 3) -> tuple[Model, Array, Array, dict[str, Any]]:
    """A model, a batch for it, and the settings of its derivative."""
    net, shape, settings = NETS[name]
    rng = np.random.default_rng(5)
    model = Model(net, shape, seed=4, dtype="float64", layout=settings.get("layout", "NHWC"))
    model.set_parameters({p: value + rng.normal(0, 0.1, value.shape) for p, value in model.parameters.items()})
    model.set_parameters({p: rng.uniform(0.5, 1.5, value.shape) for p, value in model.state.items()})
    ids = model.network.predict.tensors["input"].integer
    x = rng.integers(0, 7, (count, *shape)) if ids else rng.normal(0, 1, (count, *shape))
    out = (count, *model.network.output_shape)
    kind = settings.get("loss", model.loss).labels[0]
    y = rng.integers(0, out[-1], out[:-1]) if kind == "integer" else rng.integers(0, 2, out).astype(float)
    if settings.get("loss", model.loss).name == "hinge":
        y = 2 * y - 1
    if settings.get("loss", model.loss).name == "kl_divergence":
        y = rng.dirichlet(np.ones(out[-1]), out[:-1])
    return model, x, y, {key: value for key, value in settings.items() if key != "layout"}


def check(name: str) -> int:
    """Every gradient of a network equals the product of its chain; how many were compared."""
    model, x, y, settings = example(name)
    _, expected = model.loss_and_gradients(x, y, training=settings.get("training", False), loss=settings.get("loss"))
    for tensor, gradient in expected.items():
        found = model.chain(tensor, **settings).gradient(x, y)
        assert found.shape == gradient.shape
        np.testing.assert_allclose(found, gradient, rtol=1e-9, atol=1e-12, err_msg=tensor)
    return len(expected)


def test_every_chain_multiplies_to_the_gradient() -> None:
    counts = {name: check(name) for name in NETS}
    assert len(counts) == 22 and sum(counts.values()) == 140


def test_a_chain_agrees_with_differences_of_the_loss() -> None:
    model, x, y, _ = example("residual in residual")
    rng, step, compared = np.random.default_rng(1), 1e-5, 0
    for name, start in model.parameters.items():
        direction = rng.normal(0, 1, start.shape)
        losses = []
        for sign in (1, -1):
            model.set_parameters({name: start + sign * step * direction})
            losses.append(model.evaluate(x, y)["loss"])
        model.set_parameters({name: start})
        slope = float(np.sum(model.chain(name).gradient(x, y) * direction))
        assert abs(slope - (losses[0] - losses[1]) / (2 * step)) < 1e-8
        compared += 1
    assert compared == 6


def test_the_gradient_by_what_a_layer_gives() -> None:
    """By the output of a layer: that of the rest of the network by its input."""
    model, x, y, _ = example("residual")
    rest = Model(nn.Sequential(nn.Residual(nn.Dense(4), nn.Tanh(), nn.Dense(4)), nn.Dense(3)), (4,), dtype="float64")
    later = {"dense_2": "dense_1", "dense_3": "dense_2", "dense_4": "dense_3"}
    rest.set_parameters({
        f"{new}.{part}": model.parameters[f"{old}.{part}"] for old, new in later.items() for part in "wb"
    })  # fmt: skip
    inner = x @ model.parameters["dense_1.w"] + model.parameters["dense_1.b"]
    _, expected = rest.loss_and_gradients(inner, y)
    np.testing.assert_allclose(model.chain("dense_1").gradient(x, y), expected["input"], rtol=1e-9, atol=1e-12)
    assert model.chain("dense_1").by == model.chain("dense_1.y").by == "dense_1.y"


# --- the formulas of claims B6, C6, and the numbers of golden values G11, G15 ---------------------------------------

OUTPUT = Loss.of("J = z[]*y[]", name="output", entries="sum")  # with y = 1: the network's output itself


def by_hand(model: Model, x: Array) -> dict[str, Array]:
    """dy_L/dA_l = C_l B_l for y_l = tanh(A_l y_{l-1} + b_l), y_L = A_L y_{L-1} + b_L; weights are [in, out]."""
    a1, b1, a2 = (model.parameters[name] for name in ("dense_1.w", "dense_1.b", "dense_2.w"))
    y1 = np.tanh(x @ a1 + b1)
    c1 = np.diag(1 - y1**2)
    outer = np.outer(a2[:, 0], x)  # B_1 = (dy_L/dy_1)^T y_0^T
    return {"dense_1.w": (c1 @ outer).T, "dense_1.b": c1 @ a2[:, 0], "dense_2.w": y1[:, None], "dense_2.b": np.ones(1)}


def test_the_mlp_of_claims_b6_and_c6() -> None:
    model = Model(nn.Sequential(nn.Dense(5), nn.Tanh(), nn.Dense(1)), (3,), dtype="float64")
    x = np.array([0.3, -1.2, 0.7])
    expected = by_hand(model, x)
    assert len(expected) == 4
    for name, gradient in expected.items():
        found = model.chain(name, loss=OUTPUT).gradient(x[None], np.ones((1, 1)))
        np.testing.assert_allclose(found, gradient, rtol=1e-12, atol=1e-15)


def test_golden_g11() -> None:
    """The MLP with a square for its activation, x*x: every gradient is a whole number."""
    square = nn.Multiply(nn.Identity(), nn.Identity())
    model = Model(nn.Sequential(nn.Dense(3), square, nn.Dense(1)), (2,), dtype="float64")
    model.set_parameters({
        "dense_1.w": [[1, -1, 0], [2, 1, 3]], "dense_1.b": [1, 0, -1], "dense_2.w": [[1], [-2], [3]],
        "dense_2.b": [0.5],
    })  # fmt: skip
    expected = {
        "dense_1.w": [[20, 8, 24], [10, 4, 12]], "dense_1.b": [10, 4, 12], "dense_2.w": [[25], [1], [4]],
        "dense_2.b": [1], "input": [[6, 60]],
    }  # fmt: skip
    for name, gradient in expected.items():
        found = model.chain(name, loss=OUTPUT).gradient([[2.0, 1.0]], [[1.0]])
        assert found.tolist() == gradient


def test_golden_g15_the_skip_adds_a_term() -> None:
    """f_i(x) = th_i*x with th = (3, 5, 7) at x = 2: F = f3(f2(f1)), G = f2(f1) + f3(f2(f1)), dG = dF + df2/du df1."""
    plain = nn.Sequential(*(nn.Dense(1, bias=False) for _ in range(3)))
    skip = nn.Sequential(nn.Dense(1, bias=False), nn.Dense(1, bias=False), nn.Residual(nn.Dense(1, bias=False)))
    found = []
    for net in (plain, skip):
        model = Model(net, (1,), dtype="float64")
        model.set_parameters({f"dense_{i}.w": [[value]] for i, value in ((1, 3), (2, 5), (3, 7))})
        gradients = [model.chain(f"dense_{i}.w", loss=OUTPUT).gradient([[2.0]], [[1.0]]).item() for i in (1, 2, 3)]
        found.append((model.predict([[2.0]]).item(), gradients))
    assert found == [(210, [70, 42, 30]), (240, [80, 48, 30])]


# --- printed --------------------------------------------------------------------------------------------------------


def test_the_page_of_an_mlp() -> None:
    model = Model(nn.Sequential(nn.Dense(4), nn.Sigmoid(), nn.Dense(2)), (3,))
    assert str(model.chain("dense_1.w")) == """\
of one example; of a batch, the mean over its examples

d loss/d dense_1.w = d loss/d dense_2.y
  * d dense_2.y/d sigmoid_1.y
  * d sigmoid_1.y/d dense_1.y
  * d dense_1.y/d dense_1.w

d loss/d dense_2.y   # 1 by 2, row vector; all 2 entries non-zero
  loss.dl_dy[t] = exp(dense_2.y[t] - loss.l)
  dloss_dy[t] = loss.dl_dy[t] - [label == t]

d dense_2.y/d sigmoid_1.y   # 2 by 4, dense; all 8 entries non-zero
  dense_2.dy_dy[o,t] = dense_2.w[t,o]

d sigmoid_1.y/d dense_1.y   # 4 by 4, diagonal; 4 of 16 entries non-zero
  sigmoid_1.dy_dy[i,t] = [t == i]*sigmoid_1.y[i]*(1 - sigmoid_1.y[i])

d dense_1.y/d dense_1.w   # 4 by 3x4, Kronecker product of row vector over t and identity over o,u; 12 of 48 entries non-zero
  dense_1.dy_dw[o,t,u] = [u == o]*input[t]

multiplied from the left:
  loss.dl = 1
  dense_2.dy[o] = -[label == o] + exp(dense_2.y[o] - loss.l)*loss.dl
  sigmoid_1.dy[i] = sum(o) dense_2.w[i,o]*dense_2.dy[o]
  dense_1.dy[o] = sigmoid_1.y[o]*(1 - sigmoid_1.y[o])*sigmoid_1.dy[o]
  dense_1.dw[i,o] = input[i]*dense_1.dy[o]"""  # noqa: E501


def test_the_pages_in_the_docs_are_the_real_ones() -> None:
    text = (Path(__file__).parents[2] / "docs" / "gradients.md").read_text(encoding="utf-8")
    mlp = str(Model(nn.Sequential(nn.Dense(4), nn.Sigmoid(), nn.Dense(2)), (3,)).chain("dense_1.w"))
    sheet = str(Model(SHEET, (12, 12, 1)).chain("conv2d_1.w"))
    assert f"<!-- page of a chain -->\n```text\n{mlp}\n```\n" in text
    assert f"<!-- deltas of the sheet -->\n```text\n{sheet[sheet.index('multiplied') :]}\n```\n" in text


def test_the_ways_of_a_residual() -> None:
    model = Model(nn.Sequential(nn.Dense(3), nn.Residual(nn.Tanh()), nn.Dense(2)), (2,))
    page = str(model.chain("dense_1.b"))
    assert "  * (d residual_1.y/d dense_1.y + d residual_1.y/d tanh_1.y * d tanh_1.y/d dense_1.y)\n" in page
    assert """
from residual_1.y to dense_1.y by 2 ways, whose products add up:
  way 1, a skip:
    d residual_1.y/d dense_1.y   # 3 by 3, identity; 3 of 9 entries non-zero
      residual_1.dy_dy[i,t] = [t == i]
  way 2:
    d residual_1.y/d tanh_1.y   # 3 by 3, identity; 3 of 9 entries non-zero
      residual_1.dy_dy[i,t] = [t == i]
    d tanh_1.y/d dense_1.y   # 3 by 3, diagonal; 3 of 9 entries non-zero
      tanh_1.dy_dy[i,t] = [t == i]*(1 - tanh_1.y[i]^2)
""" in page


SHEET = nn.Sequential(
    nn.Conv2d(2, 3, flip=True), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 2, flip=True), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Dense(4), nn.ReLU(), nn.Dense(3),
)  # fmt: skip


def test_the_deltas_of_the_sheets_cnn() -> None:
    """Claims E26 to E30, L = 4: P(R(C)), P(R(C)), flatten, R(D), S(D); where the sheet writes P^-1, what it stands for:
    to the argmax, and 0 elsewhere (E24c)."""
    page = str(Model(SHEET, (12, 12, 1)).chain("conv2d_1.w"))
    assert page[page.index("multiplied") :] == """\
multiplied from the left:
  loss.dl = 1
  dense_2.dy[o] = -[label == o] + exp(dense_2.y[o] - loss.l)*loss.dl
  relu_3.dy[i] = sum(o) dense_2.w[i,o]*dense_2.dy[o]
  dense_1.dy[o] = [dense_1.y[o] > 0]*relu_3.dy[o]
  flatten_1.dy[t] = sum(o) dense_1.w[t,o]*dense_1.dy[o]
  maxpool2d_2.dy[i,j,c] = flatten_1.dy[6*i+3*j+c]
  relu_2.dy[i,j,k] = sum(i1,j1) [0 <= i-2*i1 < 2 and 0 <= j-2*j1 < 2 and maxpool2d_2.y_arg[i1,j1,k] == 2*i + j - 4*i1 - 2*j1]*maxpool2d_2.dy[i1,j1,k]
  conv2d_2.dy[i,j,k] = [conv2d_2.y[i,j,k] > 0]*relu_2.dy[i,j,k]
  maxpool2d_1.dy[i,j,c] = sum(i1,j1,k) [0 <= i-i1 < 2 and 0 <= j-j1 < 2]*conv2d_2.w[i1-i+1,j1-j+1,c,k]*conv2d_2.dy[i1,j1,k]
  relu_1.dy[i,j,k] = sum(i1,j1) [0 <= i-2*i1 < 2 and 0 <= j-2*j1 < 2 and maxpool2d_1.y_arg[i1,j1,k] == 2*i + j - 4*i1 - 2*j1]*maxpool2d_1.dy[i1,j1,k]
  conv2d_1.dy[i,j,k] = [conv2d_1.y[i,j,k] > 0]*relu_1.dy[i,j,k]
  conv2d_1.dw[t,u,r,k] = sum(i,j) input[i-t+2,j-u+2,r]*conv2d_1.dy[i,j,k]"""  # noqa: E501


def test_the_factors_of_the_sheets_cnn() -> None:
    page = str(Model(SHEET, (12, 12, 1)).chain("conv2d_1.w"))
    for line in (
        "d relu_3.y/d dense_1.y   # 4 by 4, diagonal of 0 and 1; at most 4 of 16 entries non-zero",
        "  relu_3.dy_dy[i,t] = [dense_1.y[i] > 0 and t == i]",
        "  flatten_1.dy_dy[6*i+3*j+c,t,u,v] = [t == i and u == j and v == c]",
        "  maxpool2d_2.y_arg[i,j,c] = argmax(p,q) relu_2.y[2*i+p,2*j+q,c]",
        "  conv2d_2.dy_dy[i,j,k,t,u,v] = [0 <= t-i < 2 and 0 <= u-j < 2]*conv2d_2.w[i-t+1,j-u+1,v,k]",
        "  conv2d_1.dy_dw[i,j,k,t,u,v,a] = [a == k]*input[i-t+2,j-u+2,v]",
    ):
        assert f"\n{line}\n" in page
    assert page.count("   # ") == 11


def test_a_batch_that_meets_says_where() -> None:
    model, _, _, settings = example("batch norm, training")
    page = str(model.chain("dense_1.w", **settings))
    assert page.startswith("of a batch of N examples, which meet in batchnorm_1\n")
    assert "\n    dense_1.dy_dw[n,o,t,u] = [u == o]*input[n,t]\n".replace("    ", "  ") in page


def test_plain_holds_formulas_that_read_back() -> None:
    read = 0
    for name in ("lenet", "residual", "attention", "batch norm, training"):
        model, _, _, settings = example(name)
        found = model.chain(next(reversed(model.parameters)), **settings).plain()
        assert found["of"] == ("batch" if name == "batch norm, training" else "example")
        for factor in (*found["factors"], *model.chain("dense_1.w", **settings).plain()["factors"]):
            text = factor["formula"]
            assert str(formula(text)).split(" = ", 1)[0] == text.split(" = ", 1)[0]
            read += 1
    assert read == 29


def test_latex_has_every_factor_once() -> None:
    model, _, _, _ = example("residual")
    text = model.chain("dense_1.w").latex()
    assert text.startswith("\\begin{aligned}\n&\\text{of one example; of a batch, the mean over its examples} \\\\\n")
    assert "\n\\frac{\\partial \\mathit{loss}}{\\partial \\mathit{dense\\_1.w}} &= " in text
    assert r"\text{from } \mathit{residual\_1.y} \text{ to } \mathit{dense\_1.y} \text{ by 2 ways" in text
    assert text.count(" &:") == len(model.chain("dense_1.w").factors) == 8
    assert text.count("{") == text.count("}")
    assert repr(model.chain("dense_1.w")) == "<d loss/d dense_1.w: 8 factors>"


def test_every_row_of_latex_has_one_place_to_align() -> None:
    """Rows of the page, and those of the `aligned` of a formula with pads within it."""
    rows = 0
    for name in ("lenet", "parallel", "attention", "batch norm, training"):
        model, _, _, settings = example(name)
        for parameter in model.parameters:
            text = model.chain(parameter, **settings).latex()
            for row in text.replace("\\end{aligned}", "").split(" \\\\\n"):
                assert row.count("&") == row.count("\\begin{aligned}") + (not row.startswith("\\begin")), row
                rows += 1
    assert rows == 669


# --- what does not fit ----------------------------------------------------------------------------------------------


def test_messages() -> None:
    model, x, _, _ = example("mlp")
    ids = example("attention")[0]
    for run, message in (
        (lambda: model.chain("dense_1.v"),
         "chain: no parameter or layer is called 'dense_1.v'; did you mean dense_1.y or dense_1.w?"),
        (lambda: ids.chain("input"),
         "chain: the input holds ids, by which there is no derivative; name a parameter or a layer"),
        (lambda: model.chain("dense_1.w").gradient(x, np.full((3, 3), 1 / 3)),
         "chain: needs labels of kind integer, found labels of kind distribution; pass label='distribution'"),
    ):
        with pytest.raises(ModelError) as caught:
            run()
        assert str(caught.value).startswith(message)
    shares = np.full((3, 3), 1 / 3)
    _, expected = model.loss_and_gradients(x, shares)
    found = model.chain("dense_1.w", label="distribution").gradient(x, shares)
    np.testing.assert_allclose(found, expected["dense_1.w"], rtol=1e-9, atol=1e-12)


# --- planted mistakes -----------------------------------------------------------------------------------------------

linear, between = links.Factor.linear, links.links_between


def transposed(factor: Any, values: Any) -> Any:
    found = linear(factor, values)
    return found.T if found.shape_out == found.shape_in else found


def skipped(*given: Any) -> Any:
    found = between(*given)
    square = [link for link in found if isinstance(link, links.Factor) and link.shape[0] == link.shape[1]]
    return tuple(link for link in found if link is not (square or [None])[0])


MUTANTS: dict[str, tuple[str, Any, str, Callable[..., Any]]] = {
    "a factor transposed": ("residual", links.Factor, "linear", transposed),
    "a factor left out": ("mlp", chains, "links_between", skipped),
    "the skip's term missing": ("residual", links.Ways, "linear", lambda self, at: links.linear(self.each[-1], at)),
    "the skip's term alone": ("residual", links.Ways, "linear", lambda self, at: links.linear(self.each[0], at)),
    "no mean over the batch": ("mlp", Forward, "scale", lambda self, count: 1.0),
}


@pytest.mark.parametrize("mistake", MUTANTS)
def test_a_planted_mistake_is_caught(monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    net, place, name, mutant = MUTANTS[mistake]
    monkeypatch.setattr(place, name, mutant)
    with pytest.raises(AssertionError):
        check(net)
