"""Pictures as PNG, by zlib and struct alone.

    signature, then chunks: length, type, data, CRC-32 of type and data
    IHDR    columns, rows, bits (8), colour type (0 grey, 2 RGB), and three zeros: zlib, row filters, no interlace
    IDAT    the rows, each after a 0 (no filter), packed by zlib
    IEND    nothing

Source: ISO/IEC 15948 (PNG).
"""

from __future__ import annotations

__all__ = ["diverging", "grey", "picture", "png"]

import base64
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperback.markup.html import Html, tag

_COLOUR_TYPES = {1: 0, 3: 2}
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Blue below zero, white at zero, red above: ColorBrewer's RdBu, which the colour-blind can read too.
_DIVERGING = np.array(
    [[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]], dtype=np.float64
)

Array = NDArray[Any]


def png(pixels: Array) -> bytes:
    """The file of a picture: uint8 `[rows, columns]` for grey, or `[rows, columns, 1 or 3]`.

    ValueError for another shape or type: colours are the caller's to choose.
    """
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in _COLOUR_TYPES or 0 in pixels.shape or pixels.dtype != np.uint8:
        raise ValueError(f"png: needs uint8 (rows, columns, 1 or 3), found {pixels.dtype} {pixels.shape}")
    rows, columns, channels = pixels.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], axis=1)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey(values: Array, low: float, high: float) -> NDArray[np.uint8]:
    """Numbers as brightness: `low` and less is black, `high` and more is white. Any shape."""
    width = high - low
    scaled = (np.asarray(values, np.float64) - low) / width if width > 0 else np.zeros(np.shape(values))
    return np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)


def diverging(values: Array, limit: float) -> NDArray[np.uint8]:
    """Signed numbers as colours, a last axis of 3 added: blue at -limit, white at 0, red at limit."""
    places = np.linspace(-1, 1, len(_DIVERGING))
    scaled = np.clip(np.asarray(values, np.float64) / limit, -1, 1) if limit > 0 else np.zeros(np.shape(values))
    channels = [np.interp(scaled, places, _DIVERGING[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def picture(pixels: Array, alt: str, side: int = 72) -> Html:
    """An <img> that holds its picture (see `png`), its longer side `side` CSS pixels, its pixels kept sharp."""
    rows, columns = pixels.shape[:2]
    scale = side / max(rows, columns)
    data = base64.b64encode(png(pixels)).decode("ascii")
    width, height = max(1, round(columns * scale)), max(1, round(rows * scale))
    return tag("img", src=f"data:image/png;base64,{data}", alt=alt, width=width, height=height)
