"""The embedded digits: all of them, as published, with their attribution beside them."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import numpy as np

from paperback.data import load_digits

COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_shapes_types_and_range() -> None:
    images, labels = load_digits()
    assert (images.shape, images.dtype) == ((1797, 8, 8, 1), np.float32)
    assert (labels.shape, labels.dtype) == ((1797,), np.int64)
    assert images.min() == 0 and images.max() == 1
    assert images.flags.c_contiguous and labels.flags.c_contiguous
    assert np.bincount(labels).tolist() == COUNTS


def test_pixels_are_sixteenths_and_the_first_image_is_a_zero() -> None:
    images, labels = load_digits()
    counts = images * 16
    assert (counts == counts.round()).all()
    assert labels[:10].tolist() == list(range(10))
    assert counts[0, :, :, 0].astype(int).tolist()[:2] == [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0]]


def test_each_call_gives_fresh_arrays() -> None:
    images, labels = load_digits()
    images[:], labels[:] = 7, 7
    again, fresh = load_digits()
    assert again.max() == 1 and fresh[0] == 0


def test_the_file_is_the_published_one_and_attributed() -> None:
    embedded = files("paperback.data").joinpath("embedded")
    digest = hashlib.sha256(embedded.joinpath("digits.csv.gz").read_bytes()).hexdigest()
    assert digest == "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
    note = embedded.joinpath("ATTRIBUTION.md").read_text(encoding="utf-8")
    for part in ("E. Alpaydin", "C. Kaynak", "Optical Recognition of Handwritten Digits", "CC BY 4.0"):
        assert part in note
