"""Data to learn from: the embedded digits, and IDX, CSV, NPZ, NPY and image files, checked before they are believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paperback.later import offer

if TYPE_CHECKING:
    from paperback.data.dataset import Dataset, load, load_splits, stratified_split
    from paperback.data.digits import load_digits
    from paperback.data.idx import read_idx, write_idx
    from paperback.data.images import read_images
    from paperback.data.npy import map_array, read_npy

__all__ = [
    "Dataset", "load", "load_digits", "load_splits", "map_array", "read_idx", "read_images", "read_npy",
    "stratified_split", "write_idx",
]  # fmt: skip

_HOMES = {
    "Dataset": "dataset",
    "load": "dataset",
    "load_digits": "digits",
    "load_splits": "dataset",
    "map_array": "npy",
    "read_idx": "idx",
    "read_images": "images",
    "read_npy": "npy",
    "stratified_split": "dataset",
    "write_idx": "idx",
}

__getattr__, __dir__ = offer(__name__, _HOMES)
