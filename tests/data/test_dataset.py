"""Datasets: what `load` takes, the laws of the split, and the exact words for what is no dataset."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from paperback.data import Dataset, load, load_splits, stratified_split, write_idx
from paperback.errors import DataError

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"
pixels = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
LABELS = np.array([1, 0], np.uint8)


def words(call: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value)


def idx_pair(folder: Path, stem: str, end: str = "", images: np.ndarray = pixels, labels: np.ndarray = LABELS) -> Path:
    write_idx(folder / f"{stem}-labels-idx1-ubyte{end}", labels)
    path = folder / f"{stem}-images-idx{images.ndim}-ubyte{end}"
    write_idx(path, images)
    return path


# ------------------------------------------------------------------------------------------------ what load takes


def test_nothing_gives_the_digits() -> None:
    digits = load()
    assert (digits.name, digits.classes, len(digits), digits.x.shape) == ("digits", 10, 1797, (1797, 8, 8, 1))
    assert repr(digits) == "Dataset('digits': 1,797 examples of 8x8x1 in 10 classes)"


@pytest.mark.parametrize("end", ["", ".gz"])
def test_an_idx_pair(tmp_path: Path, end: str) -> None:
    data = load(idx_pair(tmp_path, "tiny", end))
    assert isinstance(data, Dataset)
    assert (data.x.shape, data.x.dtype, data.y.dtype, data.classes) == ((2, 3, 5, 1), np.float32, np.int64, 2)
    np.testing.assert_array_equal(data.x[..., 0], pixels.astype(np.float32) / np.float32(255))
    assert data.y.tolist() == [1, 0]


def test_labels_may_be_packed_where_images_are_not(tmp_path: Path) -> None:
    path = idx_pair(tmp_path, "tiny")
    (tmp_path / "tiny-labels-idx1-ubyte").unlink()
    write_idx(tmp_path / "tiny-labels-idx1-ubyte.gz", LABELS)
    assert isinstance(load(str(path)), Dataset)


def test_colour_and_other_numbers(tmp_path: Path) -> None:
    colour = np.full((2, 3, 5, 3), 255, np.uint8)
    data = load(idx_pair(tmp_path, "colour", images=colour))
    assert isinstance(data, Dataset) and data.x.shape == (2, 3, 5, 3) and (data.x == 1).all()
    data = load(idx_pair(tmp_path, "plain", images=np.array([[1.5, -2], [3, 4]])))
    assert isinstance(data, Dataset) and data.x.tolist() == [[1.5, -2], [3, 4]] and data.x.dtype == np.float32


@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_a_folder(tmp_path: Path, separator: str, end: str) -> None:
    for part, count in (("train", 2), ("t10k", 1)):
        write_idx(tmp_path / f"{part}-images{separator}idx3-ubyte{end}", pixels[:count])
        write_idx(tmp_path / f"{part}-labels{separator}idx1-ubyte{end}", LABELS[-count:])
    loaded = load(tmp_path)
    assert isinstance(loaded, tuple)
    train, test = loaded
    assert (len(train), len(test), train.classes, test.classes) == (2, 1, 2, 2)
    assert (train.name, test.name) == (f"{tmp_path.name} (train)", f"{tmp_path.name} (test)")


def test_load_splits(tmp_path: Path) -> None:
    train, test = load_splits(held_out=0.2, seed=3)
    assert (len(train), len(test), train.name, test.name) == (1438, 359, "digits (train)", "digits (held out)")
    for part in ("train", "t10k"):
        idx_pair(tmp_path, part)
    assert [len(part) for part in load_splits(tmp_path)] == [2, 2]


@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST lies outside the package")
def test_mnist() -> None:
    loaded = load(MNIST)
    assert isinstance(loaded, tuple)
    train, test = loaded
    assert (train.x.shape, test.x.shape) == ((60_000, 28, 28, 1), (10_000, 28, 28, 1))
    assert (train.classes, test.classes, train.x.dtype) == (10, 10, np.float32)
    assert (train.x.min(), train.x.max()) == (0, 1)
    assert np.bincount(train.y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.y[:5].tolist() == [5, 0, 4, 1, 9]


# ------------------------------------------------------------------------------------------------ the split


@given(
    labels=st.lists(st.integers(-3, 6), min_size=2, max_size=80),
    fraction=st.fractions(Fraction(1, 20), Fraction(19, 20), max_denominator=40),
    seed=st.integers(0, 2**64),
)
@settings(deadline=None)
def test_split_laws(labels: list[int], fraction: Fraction, seed: int) -> None:
    y = np.array(labels)
    total = int(fraction * len(y) + Fraction(1, 2))
    assume(0 < total < len(y))
    train, held = stratified_split(y, fraction, seed)
    assert sorted([*train, *held]) == list(range(len(y)))
    assert (np.diff(train) > 0).all() and (np.diff(held) > 0).all()
    assert len(held) == total
    remainders = {True: [Fraction(0)], False: [Fraction(1)]}  # of classes rounded up, of classes rounded down
    for label in np.unique(y):
        ideal = fraction * int((y == label).sum())
        count = int((y[held] == label).sum())
        assert count in (int(ideal), int(ideal) + 1)
        remainders[count > int(ideal)].append(ideal - int(ideal))
    assert not remainders[True][1:] or min(remainders[True][1:]) >= max([Fraction(0), *remainders[False][1:]])
    again = stratified_split(y, fraction, seed)
    assert (again[0] == train).all() and (again[1] == held).all()


def test_the_largest_remainder_wins_and_the_lower_class_at_a_tie() -> None:
    y = np.repeat([0, 1, 2], [5, 6, 7])  # a quarter: 1.25, 1.5, 1.75 of 4.5, which rounds to 5
    assert np.bincount(y[stratified_split(y, 0.25, 0)[1]]).tolist() == [1, 2, 2]
    y = np.repeat([0, 1, 2], [1, 1, 2])  # half: 0.5, 0.5, 1 of 2
    assert np.bincount(y[stratified_split(y, 0.5, 0)[1]]).tolist() == [1, 0, 1]


def test_a_decimal_means_itself() -> None:
    y = np.zeros(45, int)
    assert len(stratified_split(y, 0.7, 0)[1]) == 32  # 31.5 exactly; as binary floats 0.7 * 45 is below it
    assert len(stratified_split(y, np.float64(0.7), 0)[1]) == 32
    assert len(stratified_split(y, np.float32(0.7), 0)[1]) == 32


def test_the_seed_decides_and_these_are_its_digits() -> None:
    y = load().y
    first, second = stratified_split(y, 0.2, 0)[1], stratified_split(y, 0.2, 1)[1]
    assert not np.array_equal(first, second)
    assert np.bincount(y[first]).tolist() == np.bincount(y[second]).tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    small = stratified_split([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], 0.4, 0)
    assert [part.tolist() for part in small] == [[0, 1, 3, 5, 7, 8], [2, 4, 6, 9]]
    assert small[0].dtype == small[1].dtype == np.int64


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan"), float("inf"), 0.04, 0.96])
def test_an_empty_side(fraction: float) -> None:
    assert words(lambda: stratified_split([0] * 10, fraction, 0)) == (
        f"stratified_split: holding out {fraction} of 10 examples leaves one side empty; "
        f"choose a fraction between 0 and 1 that leaves examples on both sides"
    )


def test_bad_labels_and_seeds() -> None:
    assert words(lambda: stratified_split([[0, 1]], 0.5, 0)) == (
        "stratified_split: needs one whole number a label, found shape (1, 2) of int64; pass the labels as integers"
    )
    assert words(lambda: stratified_split([0.0, 1.0], 0.5, 0)) == (
        "stratified_split: needs one whole number a label, found shape (2,) of float64; pass the labels as integers"
    )
    for seed in (-1, 0.5, None, True):
        assert words(lambda seed=seed: stratified_split([0, 1], 0.5, seed)) == (
            f"stratified_split: the seed is a whole number from 0 on, found {seed!r}; pass seed=0"
        )


# ------------------------------------------------------------------------------------------------ a Dataset's own laws


def test_take_and_split() -> None:
    data = Dataset(np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1]), 2, "tiny")
    taken = data.take(np.array([2, 0]), "two")
    assert (taken.x.tolist(), taken.y.tolist(), taken.name, taken.classes) == ([[4, 5], [0, 1]], [0, 0], "two", 2)
    train, held = data.split(0.5, seed=1)
    assert len(train) == len(held) == 2 and sorted(held.y) == [0, 1] and held.classes == 2


@pytest.mark.parametrize(
    ("x", "y", "classes", "message"),
    [
        (np.zeros(3), [0, 0, 0], 1, "x needs an example axis and more, its shape is (3,); reshape it"),
        (
            np.zeros((3, 2)),
            [0, 0],
            1,
            "needs one label for each example, found x of shape (3, 2) and y of shape (2,); "
            "check that they belong together",
        ),
        (np.zeros((0, 2)), [], 1, "needs at least one example, x has shape (0, 2); check the file"),
        (np.zeros((2, 0)), [0, 0], 1, "needs at least one example, x has shape (2, 0); check the file"),
        (np.zeros((1, 2)), [0.0], 1, "labels are whole numbers, y is float64; convert y with astype(int)"),
        (np.zeros((1, 2)), [0], 0, "needs 1 to 65536 classes, found 0; renumber the labels"),
        (np.zeros((1, 2)), [0], 1 << 40, "needs 1 to 65536 classes, found 1099511627776; renumber the labels"),
        (np.zeros((3, 2)), [0, 1, 2], 2, "labels are 0 to 1, y[2] is 2; number the classes from 0"),
        (np.zeros((3, 2)), [0, -1, 2], 2, "labels are numbers from 0 on, y[1] is -1; number the classes from 0"),
        (
            np.array([[0, 1], [np.nan, 1]]),
            [0, 1],
            2,
            "needs finite numbers, x[1, 0] is nan; remove or replace the example",
        ),
    ],
)
def test_what_is_no_dataset(x: np.ndarray, y: list[int], classes: int, message: str) -> None:
    labels = np.array(y) if y else np.zeros(0, int)
    assert words(lambda: Dataset(x, labels, classes, "mine")) == f"mine: {message}"


# ------------------------------------------------------------------------------------------------ files that are none


def test_missing_files(tmp_path: Path) -> None:
    assert words(lambda: load(tmp_path)) == (
        f"{tmp_path}: needs one folder of pictures for each class, or the four MNIST files, found neither; "
        f"sort the pictures by class, or check the path"
    )
    path = tmp_path / "train-images-idx3-ubyte"
    write_idx(path, pixels)
    assert words(lambda: load(path)) == (
        f"{path}: needs its labels in train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz beside it, found neither; "
        f"put them there"
    )
    write_idx(tmp_path / "train-labels-idx1-ubyte", LABELS)
    assert "needs t10k-images-idx3-ubyte or" in words(lambda: load(tmp_path))
    for name in ("no.csv", "no.npz", "no-images-idx3-ubyte"):
        there = tmp_path / name
        assert words(lambda there=there: load(there)) == (
            f"{there}: needs a data file, found nothing there; check the path"
        )
    other = tmp_path / "picture.png"
    other.write_bytes(b"\x89PNG\r\n")
    assert words(lambda: load(other)) == (
        f"{other}: needs a folder, .csv, .npz or IDX images, found another name; an IDX file is called *images*, "
        f"and its labels are beside it in *labels*"
    )


def test_idx_files_that_do_not_fit(tmp_path: Path) -> None:
    path = idx_pair(tmp_path, "a", labels=np.array([0, 1, 2], np.uint8))
    assert words(lambda: load(path)) == (
        f"{path}: needs one label for each example, found x of shape (2, 3, 5, 1) and y of shape (3,); "
        f"check that they belong together"
    )
    path = idx_pair(tmp_path, "a", labels=np.array([0.5, 1]))
    assert words(lambda: load(path)) == f"{path}: labels are whole numbers, y is float64; convert y with astype(int)"
    path = idx_pair(tmp_path, "a", labels=np.array([-1, -1], np.int8))
    assert words(lambda: load(path)) == f"{path}: labels are numbers from 0 on, y[0] is -1; number the classes from 0"
    path = idx_pair(tmp_path, "a", images=np.array([[1e300], [0.0]]))
    assert words(lambda: load(path)) == (
        f"{path}: needs finite numbers, x[0, 0] is inf; remove or replace the example"
    )
    idx_pair(tmp_path, "train")
    idx_pair(tmp_path, "t10k", images=pixels[:, :2])
    assert words(lambda: load(tmp_path)) == (
        f"{tmp_path}: train and test images need one shape, found (3, 5, 1) and (2, 5, 1); "
        f"keep one data set in a folder"
    )


@pytest.mark.parametrize("place", [(0, 0), (1023, 1), (1024, 0), (2499, 1)])
def test_the_first_number_that_is_none_is_named_wherever_it_is(place: tuple[int, int]) -> None:
    x = np.zeros((2500, 2))
    x[place] = x[2499, 1] = np.inf
    with pytest.raises(DataError) as caught:
        Dataset(x, np.zeros(2500, int), 1)
    assert str(caught.value) == (
        f"data: needs finite numbers, x[{place[0]}, {place[1]}] is inf; remove or replace the example"
    )
