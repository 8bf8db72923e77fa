"""All right gradients: importing the modules adds them."""

from __future__ import annotations

__all__ = ["RIGHT"]

from tests.diagnosis.corpus import extremes, tempting
from tests.diagnosis.corpus.right import RIGHT

ADDED_BY = (tempting, extremes)
