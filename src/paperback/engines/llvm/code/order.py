"""In which order a contraction walks through tensors that no cache holds.

    rows first       a large result is written a page of each row at a time: tiles one below the other would touch a
                     page for each of their rows, and the next tile all of them again
    asked for ahead  weights from memory, of which a tile reads a piece of each row: nothing that a processor foresees
    few rows         where nothing but reading the weights takes time, a few of their rows are read side by side

No entry of the result is another sum for it, but for few rows, whose sums are cut into shorter ones.
"""

from __future__ import annotations

__all__ = ["FEW_ROWS", "FEW_TURNS", "FEW_VECTORS", "SECOND_CACHE", "Order", "choose_order"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from paperback.engines.llvm.code.contract import Contraction, Tile, flat
from paperback.engines.llvm.lowering.arrange import NO_CACHE
from paperback.engines.llvm.lowering.buffers import Buffer, Linear
from paperback.engines.llvm.lowering.nests import Nest
from paperback.notation.affine import Letter

FEW_ROWS = 4
FEW_VECTORS = 4
FEW_TURNS = 8  # of the sum, for few rows: as many streams as a processor follows
_PAGE = 4096  # bytes that are read or written in their order
_AHEAD = 1024  # bytes: what arrives in the time in which it is worked off
SECOND_CACHE = 1 << 20  # bytes; tensors that are larger come from further away


@dataclass(frozen=True)
class Order:
    """panel: lanes that go together through all rows; ahead: entries from a vector to what is asked for; 0 for none.

    few    are fewer than FEW_ROWS rows done FEW_TURNS turns of the sum at a time, FEW_VECTORS vectors wide?
    """

    panel: int = 0
    ahead: int = 0
    few: bool = False

    @property
    def notes(self) -> Iterator[str]:
        if self.panel:
            yield f"rows first, {self.panel} entries of each: the result is written page by page"
        if self.ahead:
            yield f"vectors are asked for {self.ahead} entries ahead: they come from memory"
        if self.few:
            yield f"fewer than {FEW_ROWS} rows go through {FEW_TURNS} turns of the sum at a time, as memory lies"


def choose_order(
    nest: Nest, c: Contraction, buffers: Mapping[str, Buffer], sizes: Mapping[Letter, int], rows: int | None,
    tile: Tile, wide: int, width: int,
) -> Order:  # fmt: skip
    """The order for so many rows, None where they are counted at run time, and `wide` lanes in vectors of `width`."""
    across = tile.vectors * width
    target, b = buffers[nest.statement.target], buffers[c.b.tensor]
    stride = Linear.of(nest.statement.left, target.strides).step(c.rows[0]) if len(c.rows) == 1 else 0
    large = not target.per_example and target.size * target.bytes_per_entry > SECOND_CACHE
    panel = _PAGE // target.bytes_per_entry // across * across
    if not large or stride * target.bytes_per_entry < _PAGE or wide <= panel:
        panel = 0
    apart = flat(c.b, b).step(c.inner[-1]) * b.bytes_per_entry >= _PAGE
    far = not b.per_example and b.size >= NO_CACHE and apart and wide > across
    added = nest.add and nest.statement.expr is c.node and len(c.inner) == 1 and not c.node.guards
    few = far and added and rows is None and sizes[c.inner[0]] % FEW_TURNS == 0
    return Order(panel, _AHEAD // b.bytes_per_entry if far else 0, few)
