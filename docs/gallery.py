"""Draws the pictures of gallery.md: image operators as layers of the library, on the digits of the package.

    python docs/gallery.py     writes docs/pictures/*.png

What is drawn is what `model.predict` gives; `tests/test_gallery.py` says whether the files still show it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import paperback as pb
from paperback import nn
from paperback.markup.pixels import diverging, grey, png
from paperback.rewrites.rules.convolution import toeplitz

Array = NDArray[Any]
PICTURES = Path(__file__).resolve().parent / "pictures"
SCALE = 6  # screen pixels for one of a picture


def sheet() -> Array:
    """Real digits, 8x8 each, four rows of eight: one image of 32 x 64."""
    digits = pb.data.load().x[:32, :, :, 0]
    return digits.reshape(4, 8, 8, 8).transpose(0, 2, 1, 3).reshape(32, 64).astype(np.float32)


def run(layer: nn.Layer, image: Array) -> Array:
    """What a layer makes of one image, rows x columns x channels."""
    model = pb.Model(nn.Sequential(layer), input_shape=image.shape)
    result: Array = model.predict(image[None])[0]
    return result


def coloured() -> Array:
    """The digits in their colours: each of the ten has one, as red, green and blue."""
    data = pb.data.load()
    wheel = (1 + np.cos(2 * np.pi * (np.arange(10)[:, None] / 10 - np.arange(3) / 3))) / 2
    tiles = data.x[:32] / data.x.max() * wheel[data.y[:32]][:, None, None, :]
    return tiles.reshape(4, 8, 8, 8, 3).transpose(0, 2, 1, 3, 4).reshape(32, 64, 3).astype(np.float32)


def spectrum(coefficients: Array, block: int) -> Array:
    """Coefficients of every block beside each other, where the block was."""
    rows, columns = coefficients.shape[:2]
    blocks = coefficients.reshape(rows, columns, block, block)
    return blocks.transpose(0, 2, 1, 3).reshape(rows * block, columns * block)


def pictures() -> dict[str, Array]:
    """Every picture by its name, as bytes of colour."""
    image = sheet()
    x = image[..., None]
    found = {"digits": grey(image, 0, image.max())}
    down, right = np.moveaxis(run(nn.FiniteDifferences(), x), -1, 0)
    found["differences-down"], found["differences-right"] = (diverging(d, np.abs(d).max()) for d in (down, right))
    colours = coloured()
    found["colours"] = np.rint(255 * colours).astype(np.uint8)
    found["grey"] = grey(run(nn.Grey(), colours)[..., 0], 0, 1)
    for block in (4, 8):
        transform = run(nn.BlockDCT(block), x)
        shown = np.sign(transform) * np.sqrt(np.abs(transform))
        found[f"dct-{block}"] = diverging(spectrum(shown, block), np.abs(shown).max())
        low = transform.copy().reshape(*transform.shape[:2], block, block)
        half = block // 2
        low[..., half:, :] = low[..., :, half:] = 0  # a quarter of the coefficients
        back = run(nn.BlockDCT(block, inverse=True), low.reshape(transform.shape))
        found[f"dct-{block}-quarter"] = grey(back[..., 0], 0, image.max())
        again = run(nn.BlockDCT(block, inverse=True), transform)
        assert np.abs(again[..., 0] - image).max() < 1e-4 * image.max()
    conv = nn.Conv2d(1, 3)
    kernel = np.array([[1, 2, 3], [-4, 5, -6], [7, -8, -9]], dtype=np.float64).reshape(3, 3, 1, 1)
    matrix = toeplitz(conv, kernel, (8, 8, 1), (6, 6, 1)).T
    found["toeplitz"] = diverging(matrix, 9)
    return {name: enlarged(pixels) for name, pixels in found.items()}


def enlarged(pixels: Array) -> Array:
    return np.kron(pixels, np.ones((SCALE, SCALE) + (1,) * (pixels.ndim - 2), dtype=np.uint8))


def main() -> None:
    made = {PICTURES / f"{name}.png": png(pixels) for name, pixels in pictures().items()}
    PICTURES.mkdir(exist_ok=True)
    for path, data in made.items():
        path.write_bytes(data)
        print(f"docs/pictures/{path.name}")


if __name__ == "__main__":
    main()
