"""A Dataset: examples and their labels, checked once, loaded from the package or from files, split by class.

Images are `[example, row, column, channel]`, float32 in 0..1; other examples keep their own axes and numbers.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperback.data.digits import load_digits
from paperback.data.idx import read_idx
from paperback.data.images import pictures_in, read_images
from paperback.data.tables import read_csv, read_npz, read_targets
from paperback.errors import DataError

__all__ = ["Dataset", "has_pictures", "load", "load_splits", "stratified_split"]

MAX_CLASSES = 1 << 16
_ROWS = 1024  # examples looked at together, so that a check takes no memory to speak of
_SEPARATORS = ("-", ".")  # train-images-idx3-ubyte, and the spelling train-images.idx3-ubyte


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples `x` with integer labels `y` in 0..classes-1; `x.shape[1:]` is the shape of one example.

    `class_names` says what the classes are called, where the data says it. With `classes` 0 there are none: `y` holds
    numbers to predict, `[example, number]`.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    classes: int
    name: str = "data"
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.x.ndim < 2:
            raise DataError(f"{self.name}: x needs an example axis and more, its shape is {self.x.shape}; reshape it")
        if self.y.ndim != (2 if self.is_numbers else 1) or len(self.x) != len(self.y):
            raise DataError(
                f"{self.name}: needs one label for each example, found x of shape {self.x.shape} and y of shape "
                f"{self.y.shape}; check that they belong together"
            )
        if self.x.size == 0:
            raise DataError(f"{self.name}: needs at least one example, x has shape {self.x.shape}; check the file")
        if self.y.dtype.kind not in "iu" and not self.is_numbers:
            raise DataError(f"{self.name}: labels are whole numbers, y is {self.y.dtype}; convert y with astype(int)")
        if not 1 <= self.classes <= MAX_CLASSES and not self.is_numbers:
            raise DataError(f"{self.name}: needs 1 to {MAX_CLASSES} classes, found {self.classes}; renumber the labels")
        if self.class_names and len(self.class_names) != self.classes:
            raise DataError(
                f"{self.name}: needs a name for each of the {self.classes} classes, found {len(self.class_names)}; "
                f"name all or none"
            )
        outside = np.flatnonzero((self.y < 0) | (self.y >= self.classes)) if self.classes else np.flatnonzero(())
        if outside.size:
            first = int(outside[0])
            known = f"0 to {self.classes - 1}" if self.y[first] > 0 else "numbers from 0 on"
            raise DataError(
                f"{self.name}: labels are {known}, y[{first}] is {self.y[first]}; number the classes from 0"
            )
        for start in range(0, len(self.x), _ROWS) if self.x.dtype.kind == "f" else ():
            bad = ~np.isfinite(self.x[start : start + _ROWS])
            if bad.any():
                place = [int(index) for index in np.argwhere(bad)[0]]
                place[0] += start
                raise DataError(
                    f"{self.name}: needs finite numbers, x{place} is {self.x[tuple(place)]}; remove or replace the "
                    f"example"
                )

    @property
    def is_numbers(self) -> bool:
        """Are there numbers to predict in place of classes?"""
        return self.classes == 0 and self.y.dtype.kind == "f"

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        kind = f"in {self.classes} classes" if self.classes else "for numbers"
        return f"Dataset({self.name!r}: {len(self):,} examples of {'x'.join(map(str, self.x.shape[1:]))} {kind})"

    def take(self, indices: NDArray[np.int64], name: str | None = None) -> Dataset:
        """The examples at these places, in this order."""
        return Dataset(self.x[indices], self.y[indices], self.classes, name or self.name, self.class_names)

    def split(self, fraction: float | Fraction, seed: int) -> tuple[Dataset, Dataset]:
        """(train, held out), with `fraction` of every class held out; where there are none, of all examples."""
        labels = self.y if self.classes else np.zeros(len(self), dtype=np.int64)
        train, held_out = stratified_split(labels, fraction, seed)
        return self.take(train, f"{self.name} (train)"), self.take(held_out, f"{self.name} (held out)")


def stratified_split(
    y: ArrayLike, fraction: float | Fraction, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(train, held-out) indices, ascending; every index is in exactly one of them.

    With n_c labels of class c, the ideal is `fraction * n_c` held out. Each class gets its floor; what is missing to
    `fraction * n`, rounded, goes to the classes with the largest remainders, the lower class first at a tie. Which
    examples are held out is drawn class by class from PCG64(seed). Exact: 0.1 means 1/10.
    """
    labels = np.asarray(y)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"stratified_split: needs one whole number a label, found shape {labels.shape} of {labels.dtype}; "
            f"pass the labels as integers"
        )
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise DataError(f"stratified_split: the seed is a whole number from 0 on, found {seed!r}; pass seed=0")
    share = Fraction(str(fraction)) if 0 < fraction < 1 else Fraction(0)
    total = int(share * len(labels) + Fraction(1, 2))
    if not 0 < total < len(labels):
        raise DataError(
            f"stratified_split: holding out {fraction} of {len(labels)} examples leaves one side empty; "
            f"choose a fraction between 0 and 1 that leaves examples on both sides"
        )
    _, counts = np.unique(labels, return_counts=True)
    ideal = [share * int(count) for count in counts]
    held = [int(quota) for quota in ideal]
    by_remainder = sorted(range(len(held)), key=lambda c: held[c] - ideal[c])
    for c in by_remainder[: total - sum(held)]:
        held[c] += 1
    generator = np.random.Generator(np.random.PCG64(int(seed)))
    chosen = np.zeros(len(labels), dtype=bool)
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
    for members, count in zip(by_class, held, strict=True):
        chosen[generator.permutation(members)[:count]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


@overload
def load(path: None = None) -> Dataset: ...
@overload
def load(
    path: str | os.PathLike[str],
    *,
    label: int | str | None = None,
    size: tuple[int, ...] | None = None,
    target: int | str | None = None,
) -> Dataset | tuple[Dataset, Dataset]: ...


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    label: int | str | None = None,
    size: tuple[int, ...] | None = None,
    target: int | str | None = None,
) -> Dataset | tuple[Dataset, Dataset]:
    """None: the embedded digits. A folder with the four MNIST files: (train, test). A folder of folders: pictures by
    class (see `read_images`), or (train, test) where those are its folders. Otherwise one Dataset, from an IDX images
    file with its labels beside it, from CSV, or from NPZ (keys x and y).

    label    of CSV: the column of the labels, its number or its name; the last unless given
    size     of pictures: (rows, columns) that all are brought to, or (rows, columns, channels) with 1 or 3 channels
    target   of CSV, in place of `label`: the column of numbers that are to be predicted, its number or its name
    """
    if path is None:
        return Dataset(*load_digits(), classes=10, name="digits")
    place = Path(path)
    name = place.name.lower().removesuffix(".gz")
    if target is not None and (label is not None or not name.endswith(".csv")):
        other = f"label={label!r} too" if label is not None else "something else"
        raise DataError(f"{place}: target is a column of CSV in place of label, found {other}; leave one out")
    if label is not None and not name.endswith(".csv"):
        raise DataError(f"{place}: only CSV has a label column, this is something else; leave label={label!r} out")
    if size is not None and not has_pictures(place):
        raise DataError(f"{place}: only pictures are brought to a size, found something else; leave size={size} out")
    if place.is_dir():
        if has_pictures(place):
            return _from_pictures(place, size)
        if not any(place.glob("*-images*")):
            loose = len(pictures_in(place))
            found = f"{loose} picture{'s' * (loose > 1)} in no folder" if loose else "neither"
            raise DataError(
                f"{place}: needs one folder of pictures for each class, or the four MNIST files, found {found}; "
                f"sort the pictures by class, or check the path"
            )
        train, test = (_from_idx(_find(place, f"{part}-images")) for part in ("train", "t10k"))
        if train.x.shape[1:] != test.x.shape[1:]:
            raise DataError(
                f"{place}: train and test images need one shape, found {train.x.shape[1:]} and {test.x.shape[1:]}; "
                f"keep one data set in a folder"
            )
        classes = max(train.classes, test.classes)
        return (
            Dataset(train.x, train.y, classes, f"{place.name} (train)"),
            Dataset(test.x, test.y, classes, f"{place.name} (test)"),
        )
    if target is not None:
        return Dataset(*read_targets(place, target), classes=0, name=str(place))
    if name.endswith(".csv"):
        x, y, names = read_csv(place, label=-1 if label is None else label)
        return _dataset(x, y, str(place), names)
    if name.endswith(".npz"):
        return _dataset(*read_npz(place), str(place))
    return _from_idx(place)


def load_splits(
    path: str | os.PathLike[str] | None = None,
    *,
    held_out: float | Fraction = 0.2,
    seed: int = 0,
    label: int | str | None = None,
    size: tuple[int, ...] | None = None,
    target: int | str | None = None,
) -> tuple[Dataset, Dataset]:
    """(train, test) from anything `load` takes: the folder's own split, else a stratified and seeded one."""
    loaded = load() if path is None else load(path, label=label, size=size, target=target)
    return loaded.split(held_out, seed) if isinstance(loaded, Dataset) else loaded


def has_pictures(path: str | os.PathLike[str]) -> bool:
    """Is this a folder of folders, and not MNIST's?"""
    place = Path(path)
    return place.is_dir() and bool(_folders(place)) and not any(place.glob("train-images*"))


def _folders(place: Path) -> set[str]:
    return {entry.name for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith(".")}


def _from_pictures(place: Path, size: tuple[int, ...] | None) -> Dataset | tuple[Dataset, Dataset]:
    if _folders(place) != {"train", "test"}:
        images, labels, names = read_images(place, size=size)
        return Dataset(images, labels, len(names), str(place), names)
    (x, y, names), (xt, yt, others) = (read_images(place / part, size=size) for part in ("train", "test"))
    if names != others or x.shape[1:] != xt.shape[1:]:
        raise DataError(
            f"{place}: train and test need the same classes and one shape, found {', '.join(names)} of {x.shape[1:]} "
            f"and {', '.join(others)} of {xt.shape[1:]}; keep one data set in a folder"
        )
    return (
        Dataset(x, y, len(names), f"{place.name} (train)", names),
        Dataset(xt, yt, len(names), f"{place.name} (test)", names),
    )


def _from_idx(images: Path) -> Dataset:
    if images.exists() and "images" not in images.name:
        raise DataError(
            f"{images}: needs a folder, .csv, .npz or IDX images, found another name; an IDX file is called *images*, "
            f"and its labels are beside it in *labels*"
        )
    x = read_idx(images)
    return _dataset(x, read_idx(_labels_beside(images)), str(images))


def _find(folder: Path, stem: str) -> Path:
    names = [f"{stem}{separator}idx3-ubyte{end}" for separator in _SEPARATORS for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{folder}: needs {names[0]} or {names[0]}.gz, found neither; put the four MNIST files there")


def _labels_beside(images: Path) -> Path:
    bare = re.sub(r"idx\d+", "idx1", images.name.replace("images", "labels")).removesuffix(".gz")
    for name in (bare, f"{bare}.gz"):
        if (images.parent / name).is_file():
            return images.parent / name
    raise DataError(f"{images}: needs its labels in {bare} or {bare}.gz beside it, found neither; put them there")


def _dataset(x: NDArray[Any], y: NDArray[Any], name: str, names: tuple[str, ...] = ()) -> Dataset:
    if y.dtype.kind not in "iu":
        raise DataError(f"{name}: labels are whole numbers, y is {y.dtype}; convert y with astype(int)")
    classes = max(0, int(y.max())) + 1 if y.size else 1
    if x.ndim == 3 and x.dtype == np.uint8:
        x = x[..., np.newaxis]
    if x.dtype == np.uint8:
        x = np.divide(x, np.float32(255), dtype=np.float32)
    with np.errstate(over="ignore"):  # what overflows is inf, and named as such
        x = x.astype(np.float32, copy=False)
    return Dataset(x, y.astype(np.int64), classes, name, names)
