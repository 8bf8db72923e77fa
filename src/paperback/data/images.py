"""Folders of pictures, one folder for each class. Needs Pillow: the extra `images`.

    pets/cat/1.png  pets/cat/2.jpg  pets/dog/1.png      classes in the order of their names: cat 0, dog 1

All pictures must have one size, or are brought to `size`. They come as `[example, row, column, channel]`, float32 in
0..1, with one channel if all are grey and three otherwise; what is transparent counts as opaque. Sizes are read before
anything is decoded. Hidden files and files that are not named as pictures are left out.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.data.files import LIMIT
from paperback.errors import DataError

__all__ = ["SUFFIXES", "pictures_in", "read_images", "read_pictures"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_GREY = ("1", "L", "LA")


def read_images(
    folder: str | os.PathLike[str], *, size: tuple[int, ...] | None = None, limit: int = LIMIT
) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[str, ...]]:
    """(images, labels, the names of the classes) of a folder; `size` as in `read_pictures`; `limit` is of bytes."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: needs a folder with one folder for each class, found none; check the path")
    classes = sorted(place for place in folder.iterdir() if place.is_dir() and not place.name.startswith("."))
    if not classes:
        raise DataError(f"{folder}: needs one folder for each class, found no folder in it; sort the pictures by class")
    files, labels = [], []
    for number, place in enumerate(classes):
        own = pictures_in(place)
        if not own:
            raise DataError(f"{place}: needs pictures ({' '.join(SUFFIXES)}), found none; remove the empty class")
        files += own
        labels += [number] * len(own)
    images = read_pictures(files, size=size, limit=limit)
    return images, np.array(labels, dtype=np.int64), tuple(place.name for place in classes)


def pictures_in(folder: Path) -> list[Path]:
    """The files of a folder that are named as pictures, hidden ones left out."""
    return sorted(
        file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )


def read_pictures(
    files: Sequence[Path], *, size: tuple[int, ...] | None = None, limit: int = LIMIT
) -> NDArray[np.float32]:
    """The pictures in these files, `[file, row, column, channel]`.

    size    (rows, columns) that all are brought to, or (rows, columns, channels); None: they must have one size
    There is one channel, for grey, or three; without `size` to say so, one if all are grey.
    """
    pillow = _pillow(files[0].parent)
    sizes, grey = [], True
    for file in files:
        with _opened(pillow, file) as picture:
            sizes.append((picture.height, picture.width))
            grey &= picture.mode in _GREY or _is_deep(picture)
    if size is not None and (len(size) not in (2, 3) or min(size) < 1 or size[2:] not in ((), (1,), (3,))):
        raise DataError(
            f"{files[0].parent}: size is (rows, columns), from 1 on, and perhaps 1 or 3 channels, found {size}; pass "
            f"size=(32, 32)"
        )
    rows, columns = sizes[0] if size is None else size[:2]
    other = next((at for at, found in enumerate(sizes) if found != (rows, columns)), None)
    if size is None and other is not None:
        raise DataError(
            f"{files[other]}: needs {rows}x{columns} pixels as {files[0].name}, found "
            f"{sizes[other][0]}x{sizes[other][1]}; bring all to one size with size=({rows}, {columns}), or --size "
            f"{rows}x{columns} on the command line"
        )
    depth = size[2] if size is not None and len(size) == 3 else 1 if grey else 3
    wanted = 4 * len(files) * rows * columns * depth
    if wanted > limit:
        raise DataError(
            f"{files[0].parent}: {len(files)} pictures of {rows}x{columns}x{depth} take {wanted} bytes, the limit is "
            f"{limit}; pass a smaller size"
        )
    mode = "L" if depth == 1 else "RGB"
    first = _pixels(pillow, files[0], mode, (rows, columns))  # before memory is taken for what its header claims
    images = np.empty((len(files), rows, columns, depth), np.float32)
    images[0] = first
    for at, file in enumerate(files[1:], 1):
        images[at] = _pixels(pillow, file, mode, (rows, columns))
    return images


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


def _is_deep(picture: Any) -> bool:
    """Grey with 16 bits; some versions of Pillow call it I."""
    return bool(picture.mode == "I" or picture.mode.startswith("I;16"))


def _pixels(pillow: Any, file: Path, mode: str, size: tuple[int, int]) -> NDArray[np.float32]:
    with _opened(pillow, file) as picture:
        deep = _is_deep(picture)
        try:
            flat = pillow.fromarray(np.asarray(picture).astype(np.float32)) if deep else picture.convert(mode)
        except Exception as error:  # as above
            raise DataError(f"{file}: the picture is damaged or cut short; fetch it again") from error
        if (flat.height, flat.width) != size:
            flat = flat.resize((size[1], size[0]), pillow.Resampling.BILINEAR)
        whole = np.float32(65535 if deep else 255)
        pixels: NDArray[np.float32] = np.asarray(flat, dtype=np.float32).reshape(*size, -1) / whole
    if picture.mode == "F" or (pixels.size and pixels.max() > 1):
        raise DataError(f"{file}: needs 8 or 16 bits for a pixel, found {picture.mode}; save it as an 8-bit PNG")
    return pixels
