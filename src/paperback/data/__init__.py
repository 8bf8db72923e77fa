"""Data to learn from: the embedded digits, and IDX, CSV, NPZ, NPY and image files, checked before they are believed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from paperback.arguments import absent

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise absent(__name__, name, __all__)
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
