"""Folders of pictures, one folder for each class. Needs Pillow: the extra `images`.

    pets/cat/1.png  pets/cat/2.jpg  pets/dog/1.png      classes in the order of their names: cat 0, dog 1

All pictures must have one size, or are brought to `size`. They come as `[example, row, column, channel]`, float32 in
0..1, with one channel if all are grey and three otherwise. Sizes are read before anything is decoded.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.data.files import LIMIT
from paperback.errors import DataError

__all__ = ["SUFFIXES", "read_images"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_GREY = ("1", "L", "LA")


def read_images(
    folder: str | os.PathLike[str], *, size: tuple[int, int] | None = None, limit: int = LIMIT
) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[str, ...]]:
    """(images, labels, the names of the classes) of a folder; `size` is (rows, columns), `limit` bounds the bytes."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: needs a folder with one folder for each class, found none; check the path")
    classes = sorted(place for place in folder.iterdir() if place.is_dir() and not place.name.startswith("."))
    if not classes:
        raise DataError(f"{folder}: needs one folder for each class, found no folder in it; sort the pictures by class")
    files = []
    for number, place in enumerate(classes):
        own = sorted(file for file in place.iterdir() if file.suffix.lower() in SUFFIXES)
        if not own:
            raise DataError(f"{place}: needs pictures ({' '.join(SUFFIXES)}), found none; remove the empty class")
        files += [(file, number) for file in own]
    pillow = _pillow(folder)
    sizes, grey = [], True
    for file, _ in files:
        with _opened(pillow, file) as picture:
            sizes.append((picture.height, picture.width))
            grey &= picture.mode in _GREY
    rows, columns = size or sizes[0]
    if rows < 1 or columns < 1:
        raise DataError(f"{folder}: size is (rows, columns), from 1 on, found {size}; pass size=(32, 32)")
    other = next((at for at, found in enumerate(sizes) if found != (rows, columns)), None)
    if size is None and other is not None:
        raise DataError(
            f"{files[other][0]}: needs {rows}x{columns} pixels as {files[0][0].name}, found "
            f"{sizes[other][0]}x{sizes[other][1]}; pass size=({rows}, {columns}) to bring all to one size"
        )
    channels = 1 if grey else 3
    wanted = 4 * len(files) * rows * columns * channels
    if wanted > limit:
        raise DataError(
            f"{folder}: {len(files)} pictures of {rows}x{columns}x{channels} take {wanted} bytes, the limit is "
            f"{limit}; pass a smaller size"
        )
    images = np.empty((len(files), rows, columns, channels), np.float32)
    for at, (file, _) in enumerate(files):
        images[at] = _pixels(pillow, file, "L" if grey else "RGB", (rows, columns))
    labels = np.array([number for _, number in files], dtype=np.int64)
    return images, labels, tuple(place.name for place in classes)


def _pillow(folder: Path) -> Any:
    try:
        import PIL.Image
    except ImportError as error:
        raise DataError(
            f"{folder}: pictures need Pillow, which is not installed; pip install 'paperback[images]'"
        ) from error
    return PIL.Image


def _opened(pillow: Any, file: Path) -> Any:
    """The picture, its header read, nothing decoded; Pillow's warning of too many pixels counts as an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            return pillow.open(file)
    except (pillow.DecompressionBombWarning, pillow.DecompressionBombError) as error:
        raise DataError(f"{file}: more pixels than Pillow thinks safe ({error}); make the picture smaller") from error
    except Exception as error:  # the readers of hostile pictures raise more than they document
        raise DataError(f"{file}: is no picture that Pillow can read; remove the file, or save it again") from error


def _pixels(pillow: Any, file: Path, mode: str, size: tuple[int, int]) -> NDArray[np.float32]:
    with _opened(pillow, file) as picture:
        try:
            flat = picture.convert(mode)
        except Exception as error:  # as above
            raise DataError(f"{file}: the picture is damaged or cut short; fetch it again") from error
        if (flat.height, flat.width) != size:
            flat = flat.resize((size[1], size[0]), pillow.Resampling.BILINEAR)
        pixels: NDArray[np.float32] = np.asarray(flat, dtype=np.float32).reshape(*size, -1) / np.float32(255)
        return pixels
