"""`paperback derive --show-matrix`: a small Jacobian as it stands on paper, and as a picture."""

from __future__ import annotations

__all__ = ["show_matrix"]

from pathlib import Path
from typing import Any

import numpy as np

from paperback.formulas import Formula
from paperback.jacobians.draw import matrix_picture
from paperback.markup.pixels import png


def show_matrix(given: Formula, wrt: str, picture: str | None = None) -> str:
    """The structure in words and the matrix as text; `picture` is a file for it, with numbers drawn for the inputs."""
    text = f"{given.structure(wrt)}\n\n{given.matrix(wrt)}"
    if picture is not None:
        Path(picture).write_bytes(png(matrix_picture(given.jacobian(wrt, **_drawn(given)))))
    return text


def _drawn(given: Formula) -> dict[str, Any]:
    """Numbers for all that the formula reads; the first place for every id."""
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = dict.fromkeys(given.block.scalars, 1.0)
    for name, tensor in given.block.inputs.items():
        shape = tuple(axis.value for axis in tensor.axes)
        arrays[name] = np.zeros(shape, np.int64) if tensor.integer else random.standard_normal(shape)
    return arrays
