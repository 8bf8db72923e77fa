"""Examples without labels, in the shape that a network takes: what `paperback predict` reads.

    a .npy file               the array in it
    a picture, or a folder    the pictures, in the order of their names, brought to the network's size and channels
    a table                   all columns, where there are as many as the network takes
    anything that `load` has  its examples; of a folder with a split, those of the test
"""

from __future__ import annotations

__all__ = ["load_examples"]

import math
import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from paperback.data.dataset import Dataset, has_pictures, load
from paperback.data.images import SUFFIXES, pictures_in, read_pictures
from paperback.data.npy import read_npy
from paperback.data.tables import read_features


def load_examples(
    path: str | os.PathLike[str] | None,
    shape: tuple[int, ...],
    *,
    label: int | str | None = None,
    target: int | str | None = None,
    usual: int | str | None = None,
) -> NDArray[Any]:
    """The examples at `path` (None: the digits) for a network that takes examples of this shape.

    label    of CSV: the column that holds labels and is left out; unless given, `usual` where there is one too many
    target   of CSV, in place of label: the column of numbers that is left out
    usual    the column of the labels where there are any: None for the last
    """
    if path is None:
        return load().x
    place = Path(path)
    name = place.name.lower().removesuffix(".gz")
    if target is not None:
        loaded = load(place, label=label, target=target)
        return loaded.x if isinstance(loaded, Dataset) else loaded[1].x
    if name.endswith(".npy"):
        return read_npy(place)
    if name.endswith(".csv") and label is None:
        features = read_features(place, math.prod(shape))
        if features is not None:
            return features.reshape(-1, *shape)
    size = shape if len(shape) == 3 else None
    files = [place] if place.suffix.lower() in SUFFIXES and place.is_file() else []
    files = files or (pictures_in(place) if place.is_dir() else [])
    if files:
        return read_pictures(files, size=size)
    loaded = load(place, label=usual if label is None else label, size=size if has_pictures(place) else None)
    return loaded.x if isinstance(loaded, Dataset) else loaded[1].x
