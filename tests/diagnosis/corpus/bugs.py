"""All planted bugs: importing the modules plants them."""

from __future__ import annotations

__all__ = ["BUGS"]

from tests.diagnosis.corpus import (
    bugs_everywhere,
    bugs_layers,
    bugs_losses,
    bugs_memory,
    bugs_pointwise,
    bugs_sums,
    bugs_windows,
)
from tests.diagnosis.corpus.bug import BUGS

PLANTED_BY = (bugs_pointwise, bugs_layers, bugs_windows, bugs_losses, bugs_sums, bugs_memory)
bugs_everywhere.plant_single()
bugs_everywhere.plant_pairs()
