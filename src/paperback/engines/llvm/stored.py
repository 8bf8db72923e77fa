"""What a compiled program needs beside its code, as notes in the cache; and the name of this package's sources.

A program that is found again by its name is neither derived nor lowered: its `Frame` says where every tensor lives. A
name says which program is meant, and `sources` which version of the package made code of it: every byte of it, so that
no change of the package meets code of an older one. Functions that are replaced in memory are not seen: who plants
mistakes runs them with PAPERBACK_CACHE=off.
"""

from __future__ import annotations

__all__ = ["Frame", "sources"]

import functools
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from paperback.engines.llvm.lowering.buffers import Buffer
from paperback.notation.size import Size
from paperback.program.program import ProgramTensor

_LOADED = time.time()
_PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Frame:
    """Everything of a compiled program but its code.

    needed     the tensors that must be given; `batch` is the name of the batch in their axes
    results    what is handed out: its name, and the tensor that holds it; `copies` are given tensors handed out again
    buffers    every tensor's place in memory
    scratch    bytes of one example; `micro` examples are worked on at a time
    work       operations of one example
    costs      of every kernel of the shard part: its operations of one example, and what counts where it is cut among
               threads; 0 where it cannot be
    """

    needed: tuple[ProgramTensor, ...]
    batch: str
    results: Mapping[str, str]
    copies: tuple[str, ...]
    buffers: Mapping[str, Buffer]
    scratch: int
    micro: int
    work: float
    costs: Sequence[tuple[float, float]]

    @property
    def text(self) -> str:
        """All of it as JSON, for `read`."""
        needed = [(t.name, [axis.terms for axis in t.axes], t.role, t.integer) for t in self.needed]
        buffers = [astuple(buffer) for buffer in self.buffers.values()]
        parts = (needed, self.batch, self.results, self.copies, buffers, self.scratch, self.micro, self.work,
                 self.costs)  # fmt: skip
        return json.dumps(parts)

    @staticmethod
    def read(text: str) -> Frame:
        """The frame that has this text."""
        needed, batch, results, copies, buffers, *numbers = json.loads(text)
        tensors = tuple(ProgramTensor(name, tuple(map(_size, axes)), *kind) for name, axes, *kind in needed)
        places = [Buffer(name, place, element, tuple(shape), kind) for name, place, element, shape, kind in buffers]
        return Frame(tensors, batch, results, tuple(copies), {b.name: b for b in places}, *numbers)


def _size(terms: Sequence[tuple[Sequence[str], int]]) -> Size:
    return Size(tuple((tuple(monomial), coefficient) for monomial, coefficient in terms))


@functools.cache
def sources() -> str | None:
    """The hash of all sources of the package; None where they cannot be read, or changed since they were loaded."""
    digest = hashlib.sha256()
    tree = [(os.path.relpath(folder, _PACKAGE), names) for folder, _, names in os.walk(_PACKAGE)]
    paths = sorted(os.path.join(inside, name) for inside, names in tree for name in names if name.endswith(".py"))
    try:
        for path in paths:
            with open(os.path.join(_PACKAGE, path), "rb", buffering=0) as file:
                if os.fstat(file.fileno()).st_mtime >= _LOADED:
                    return None
                content = file.readall()
            digest.update(f"{path} {len(content)}\n".encode())
            digest.update(content)
    except OSError:
        return None
    return digest.hexdigest() if paths else None
