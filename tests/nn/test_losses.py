"""Losses: values against PyTorch, golden numbers of the claims, reductions, and labels that do not fit."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from paperback.engines import numpy as engine  # noqa: E402
from paperback.errors import ModelError  # noqa: E402
from paperback.nn.labels import check_labels, label_kind  # noqa: E402
from paperback.nn.losses import LOSSES, Loss, attach  # noqa: E402
from paperback.notation.size import Size  # noqa: E402
from paperback.program.program import Program, ProgramTensor  # noqa: E402

F = torch.nn.functional


def scores(*shape: int) -> Program:
    """A program that is nothing but scores."""
    axes = (Size.of("N"), *map(Size.of, shape))
    return Program({"z": ProgramTensor("z", axes, "input")}, (), ())


def value(loss: str | Loss, z: object, y: object, reduction: str = "mean", label: str | None = None) -> np.ndarray:
    z = np.asarray(z, dtype=float)
    program = attach(scores(*z.shape[1:]), "z", loss, reduction, label)
    return np.asarray(engine.compile(program, dtype="float64")({"z": z, "label": np.asarray(y)})["loss"])


RNG = np.random.default_rng(11)
REDUCTIONS = ("mean", "sum", "none")


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy_of_classes(reduction: str) -> None:
    z, y = RNG.integers(-20, 20, (5, 3)) / 8, np.array([0, 2, 1, 1, 0])
    expected = F.cross_entropy(torch.from_numpy(z), torch.from_numpy(y), reduction=reduction)
    np.testing.assert_allclose(value("softmax_cross_entropy", z, y, reduction), expected, rtol=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy_of_distributions(reduction: str) -> None:
    z, y = RNG.integers(-20, 20, (5, 3)) / 8, RNG.dirichlet(np.ones(3), 5)
    expected = F.cross_entropy(torch.from_numpy(z), torch.from_numpy(y), reduction=reduction)
    np.testing.assert_allclose(value("softmax_cross_entropy", z, y, reduction, "distribution"), expected, rtol=1e-12)


def test_cross_entropy_of_a_map_of_pixels() -> None:
    z, y = RNG.integers(-20, 20, (3, 2, 5, 4)) / 8, RNG.integers(0, 4, (3, 2, 5))
    expected = F.cross_entropy(torch.from_numpy(z).movedim(-1, 1), torch.from_numpy(y))
    np.testing.assert_allclose(value("softmax_cross_entropy", z, y), expected, rtol=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(5, 1), (3, 2), (3, 2, 5)])
def test_losses_of_entries(shape: tuple[int, ...], reduction: str) -> None:
    z, y = RNG.integers(-20, 20, shape) / 8, RNG.integers(0, 9, shape) / 8
    for name, reference in [
        ("binary_cross_entropy", F.binary_cross_entropy_with_logits),
        ("mean_squared_error", F.mse_loss),
    ]:
        entries = reference(torch.from_numpy(z), torch.from_numpy(y), reduction="none").numpy()
        examples = entries.reshape(len(z), -1).mean(axis=1)
        expected = {"mean": examples.mean(), "sum": examples.sum(), "none": examples}[reduction]
        np.testing.assert_allclose(value(name, z, y, reduction), expected, rtol=1e-12)
        every = replace(LOSSES[name], entries="sum")
        total = reference(torch.from_numpy(z), torch.from_numpy(y), reduction="sum")
        np.testing.assert_allclose(value(every, z, y, "sum"), total, rtol=1e-12)


def test_golden_numbers() -> None:
    """G1: a = ln 3, y = 1; G19: z = (0, 0) and classes of probability 1/2 and 1/4."""
    assert value("binary_cross_entropy", [[math.log(3)]], [[1.0]]) == pytest.approx(math.log(4 / 3), abs=1e-12)
    assert value("binary_cross_entropy", [[0.0]], [[1.0]]) == pytest.approx(math.log(2), abs=1e-12)
    assert value("mean_squared_error", [[0.75]], [[1.0]]) == 1 / 16  # claim A1.5: no factor 1/2
    assert value("softmax_cross_entropy", [[0.0, 0.0]], [0]) == pytest.approx(math.log(2), abs=1e-12)
    two = [[0.0, 0.0], [0.0, math.log(3)]]
    assert value("softmax_cross_entropy", two, [1, 0]) == pytest.approx(1.5 * math.log(2), abs=1e-12)


def test_far_from_zero_nothing_overflows() -> None:
    assert value("binary_cross_entropy", [[1000.0], [-1000.0]], [[0.0], [1.0]], "sum") == 2000
    assert value("softmax_cross_entropy", [[1000.0, 0.0, -1000.0]], [2]) == 2000


def test_a_distribution_that_does_not_sum_to_1_is_weighted() -> None:
    z, y = np.array([[0.5, -0.25, 2.0]]), np.array([[1.0, 0.5, 2.0]])
    expected = y.sum() * np.log(np.exp(z).sum()) - (z * y).sum()
    assert value("softmax_cross_entropy", z, y, label="distribution") == pytest.approx(expected, abs=1e-12)


def test_a_loss_of_your_own() -> None:
    absolute = Loss.of("J = abs(z[] - y[])", name="mean_absolute_error")
    z, y = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[0.0, 4.0], [3.0, 1.0]])
    assert value(absolute, z, y) == np.abs(z - y).mean()
    distance = Loss.of("J = (sum(k) (z[k] - y[k])^2)^(1/2)", z="K", y="K")
    np.testing.assert_allclose(value(distance, z, y, "none"), np.linalg.norm(z - y, axis=1))


def test_the_label_is_a_tensor_of_the_program() -> None:
    classes = attach(scores(4, 3), "z", "softmax_cross_entropy")
    label = classes.tensors["label"]
    assert (label.role, label.integer, label.axes) == ("label", True, (Size.of("N"), Size.of(4)))
    floats = attach(scores(4, 3), "z", "softmax_cross_entropy", label="distribution").tensors["label"]
    assert (floats.integer, floats.axes) == (False, (Size.of("N"), Size.of(4), Size.of(3)))
    assert classes.outputs == ("loss",) and classes.tensors["loss"].axes == ()
    assert attach(scores(3), "z", "mean_squared_error", "none").tensors["loss"].axes == (Size.of("N"),)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: attach(scores(3), "z", "mean_squared_error", "median"),
            "reduction must be \"mean\", \"sum\" or \"none\", not 'median'",
        ),
        (
            lambda: attach(scores(3), "z", "mean_squared_error", label="integer"),
            "mean_squared_error takes labels of kind real, not 'integer'",
        ),
        (lambda: attach(scores(3), "y", "mean_squared_error"), "the program has no tensor 'y' to put a loss on"),
        (
            lambda: attach(attach(scores(3), "z", "mean_squared_error"), "z", "mean_squared_error"),
            "the program has a loss already",
        ),
        (
            lambda: attach(scores(1), "z", "softmax_cross_entropy"),
            "softmax_cross_entropy over one class is always 0: use binary_cross_entropy, or two outputs",
        ),
    ],
)
def test_a_loss_that_does_not_fit(make, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        make()
    assert str(caught.value) == message


def test_labels_that_fit() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_labels("softmax_cross_entropy", [0, 2], (3,)).dtype == np.int64
        assert check_labels("softmax_cross_entropy", np.eye(3, dtype=int), (3,)).dtype == np.float64
        assert check_labels("binary_cross_entropy", [True, False], (1,)).shape == (2, 1)
        assert check_labels("softmax_cross_entropy", np.zeros((2, 5), dtype=np.uint8), (5, 3)).shape == (2, 5)
    assert label_kind("softmax_cross_entropy", [0, 1], (3,)) == "integer"
    assert label_kind("softmax_cross_entropy", [[0.0, 1.0, 0.0]], (3,)) == "distribution"
    with pytest.warns(UserWarning, match=r"label\[1\] sums to 2, not 1"):
        check_labels("softmax_cross_entropy", [[1.0, 0.0], [1.0, 1.0]], (2,))
