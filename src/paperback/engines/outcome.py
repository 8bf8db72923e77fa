"""What a program's run gives: arrays by name, and whether the engine looked for numbers that are none."""

from __future__ import annotations

__all__ = ["Outcome"]

from collections.abc import Mapping
from typing import Any

import numpy as np


class Outcome(dict[str, "np.ndarray[Any, Any]"]):
    """Outputs and new values by name. `finite`: does no new value hold NaN or infinity? None where nobody looked."""

    __slots__ = ("finite",)

    def __init__(self, arrays: Mapping[str, np.ndarray[Any, Any]] | None = None, finite: bool | None = None) -> None:
        super().__init__(arrays or {})
        self.finite = finite
