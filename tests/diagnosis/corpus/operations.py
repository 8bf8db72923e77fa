"""All operations of the corpus, by name."""

from __future__ import annotations

__all__ = ["OPERATIONS"]

from tests.diagnosis.corpus import moving, pointwise, reductions, windows
from tests.diagnosis.corpus.operation import Operation

OPERATIONS: dict[str, Operation] = {
    operation.name: operation for home in (pointwise, reductions, windows, moving) for operation in home.OPERATIONS
}
