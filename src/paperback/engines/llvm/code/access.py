"""Reaching tensors: letters and their values in the code, flat indices, loads of one entry, of neighbours, of scattered
entries; tested where they may leave their range.
"""

from __future__ import annotations

__all__ = ["Access"]

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction

from paperback.engines.llvm.code.cut import Cut
from paperback.engines.llvm.code.values import Value, Values
from paperback.engines.llvm.ir import Function, Whole, vector_type
from paperback.engines.llvm.lowering.buffers import BATCH, Buffer, Linear
from paperback.notation.affine import Affine, Letter
from paperback.notation.expr import Node, Reduce
from paperback.notation.size import Size

_SHORT = {"float": "f32", "double": "f64", "i32": "i32", "i64": "i64"}


class Access(Values):
    """Writes loads into one function.

    buffers     tensor -> where it lives
    scratch     tensor -> bytes before it in the worker's scratch memory
    runtime     size -> BATCH or SHARDS, for the sizes that are known at run time only
    ranges      BATCH and SHARDS -> the first value and the end of letters that run over them in a sum
    width       how many lanes a vector has
    masks       whether lanes can be left out of a load or a store at no cost
    """

    def __init__(
        self,
        function: Function,
        element: str,
        buffers: Mapping[str, Buffer],
        scratch: Mapping[str, int],
        runtime: Mapping[int, int],
        ranges: Mapping[int, tuple[Whole, Whole]],
        width: int,
        masks: bool = False,
    ) -> None:
        super().__init__(function, element)
        self.buffers = buffers
        self.scratch = scratch
        self.runtime = runtime
        self.ranges = ranges
        self.width = width
        self.masks = masks
        self.env: dict[Letter, Whole] = {}
        self.extents: dict[Letter, int] = {}
        self.vector: Letter | None = None
        self.lanes = 1
        self.mask: Value | None = None
        self.rows: tuple[Whole, Whole] = ("%lo", "%hi")  # the range that the function is called with
        self.cut: Cut | None = None  # the axis of which the function is called with a range
        self.part: tuple[Whole, Whole] = ("%from", "%to")  # and the range
        self.first: Whole | None = None  # example of a shard, where there is nothing yet that could be added to
        self.watched: Collection[str] = ()  # tensors in which NaN and infinity are reported
        self.positions: set[Reduce] = set()  # positions of maxima that are wanted beside them
        self.scopes: list[dict[tuple[Node, Value | None], Value]] = [{}]
        self._bases: dict[str, str] = {}

    # --- letters -----------------------------------------------------------------------------------------------------

    def extent_of(self, size: Size) -> int:
        return self.runtime.get(size.value, size.value)

    def range_of(self, extent: int) -> tuple[Whole, Whole]:
        return (0, extent) if extent >= 0 else self.ranges[extent]

    @contextmanager
    def bind(self, letter: Letter, value: Whole, extent: int, lanes: int = 0) -> Iterator[None]:
        """A scope in which the letter has this value; with lanes, value, value + 1, ... in the lanes."""
        self.env[letter], self.extents[letter] = value, extent
        self.scopes.append({})
        if lanes:
            self.vector, self.lanes = letter, lanes
        yield
        if lanes:
            self.vector, self.lanes = None, 1
        self.scopes.pop()
        del self.env[letter]

    def declare(self, extents: Mapping[Letter, int]) -> None:
        """Extents of letters that will be bound, for range checks."""
        self.extents.update(extents)

    def affine(self, affine: Affine, first: bool = False) -> Value:
        """The value of a form; in all lanes, or in the first one alone."""
        start: Whole = affine.const.value
        step = 0
        for letter, coefficient in affine.terms:
            start = self.f.add(start, self.f.mul(self.env[letter], coefficient.value))
            if letter == self.vector and not first:
                step = coefficient.value
        return self.steps(start, step, self.lanes) if step else self.whole(start)

    def flat_index(self, flat: Linear) -> Whole:
        """A flat index at the letters as they are bound; a letter in the lanes counts as its first."""
        at: Whole = flat.const
        for letter, step in flat.steps:
            at = self.f.add(at, self.f.mul(self.env[letter], step))
        return at

    # --- loads -------------------------------------------------------------------------------------------------------

    def in_range(self, index: Value, length: int) -> Value:
        end = self.whole("%N") if length == BATCH else self.whole(length)
        inside = self.both(self.compare(">=", index, self.whole(0)), self.compare("<", index, end))
        assert inside is not None
        return inside

    def load(self, buffer: Buffer, flat: Linear, inside: Value | None, pad: Fraction | float) -> Value:
        """What lies at a flat index; the padding where it is not inside."""
        step = flat.step(self.vector) if self.vector is not None else 0
        start = self.flat_index(flat)
        if inside is not None and inside.lanes > 1 and step == 0:
            return self.select(inside, self.load(buffer, flat, self.any(inside), pad), self.number(pad))
        if step == 0:
            return self._load_one(buffer, start, inside, pad)
        if step == 1:
            if inside is None:
                return self.load_neighbours(buffer, start)
            pointer = self.pointer(buffer, start)
            return self._masked(buffer, "load", f"ptr {pointer}", self.spread(inside, self.lanes), pad)
        return self.load_scattered(buffer, self.steps(start, step, self.lanes), inside, pad)

    def load_neighbours(self, buffer: Buffer, index: Whole) -> Value:
        """The entry at a flat index in the first lane, the next one in the second."""
        kind = vector_type(buffer.element, self.lanes)
        text = self.f.op(f"load {kind}, ptr {self.pointer(buffer, index)}, align {buffer.bytes_per_entry}")
        return self._widened(text, buffer, self.lanes)

    def load_lanes(self, buffer: Buffer, pointer: str, lanes: int) -> str:
        """Neighbours that were not stored just now.

        A short vector is loaded at once where lanes can be left out; LLVM would load it in pieces. Stores have no
        masks, and what adds to memory none at all: a load that follows would wait until the masked store is done.
        """
        whole = 1 << (lanes - 1).bit_length() if self.masks else lanes
        if whole == lanes:
            kind = vector_type(buffer.element, lanes)
            return self.f.op(f"load {kind}, ptr {pointer}, align {buffer.bytes_per_entry}")
        kind = vector_type(buffer.element, whole)
        mask = ", ".join(f"i1 {str(k < lanes).lower()}" for k in range(whole))
        symbol = f"llvm.masked.load.v{whole}{_SHORT[buffer.element]}.p0"
        align = str(buffer.bytes_per_entry)
        text = self.f.call(
            kind, symbol, [("ptr", pointer), ("i32", align), (f"<{whole} x i1>", f"<{mask}>"), (kind, "poison")]
        )
        first = ", ".join(f"i32 {k}" for k in range(lanes))
        return self.f.op(f"shufflevector {kind} {text}, {kind} poison, <{lanes} x i32> <{first}>")

    def load_vector(self, buffer: Buffer, index: Whole, lanes: int) -> Value:
        """The entry of a factor at a flat index and its neighbours."""
        return Value(self.load_lanes(buffer, self.pointer(buffer, index), lanes), "float", lanes)

    def prefetch(self, pointer: str) -> None:
        """Ask for a cache line, which need not be there, to be brought into the second cache."""
        self.f.call("void", "llvm.prefetch.p0", [("ptr", pointer), ("i32", "0"), ("i32", "2"), ("i32", "1")])

    def _load_one(self, buffer: Buffer, index: Whole, inside: Value | None, pad: Fraction | float) -> Value:
        if inside is None:
            pointer = self.pointer(buffer, index)
            text = self.f.op(f"load {buffer.element}, ptr {pointer}, align {buffer.bytes_per_entry}")
            return self._widened(text, buffer, 1)
        return self.load_scattered(buffer, self.whole(index), inside, pad)

    def load_scattered(self, buffer: Buffer, index: Value, inside: Value | None, pad: Fraction | float) -> Value:
        """Entries at the indices in the lanes."""
        lanes = index.lanes
        pointers = self.pointer(buffer, index.text, lanes)
        mask = self.spread(inside if inside is not None else Value("true", "bool"), lanes)
        return self._masked(buffer, "gather", f"{vector_type('ptr', lanes)} {pointers}", mask, pad)

    def _masked(self, buffer: Buffer, kind: str, place: str, mask: Value, pad: Fraction | float) -> Value:
        lanes, element = mask.lanes, buffer.element
        if lanes == 1:  # one entry: read something that is there, where this is not
            index = place.split()[-1]
            safe = self.f.op(f"select i1 {mask.text}, ptr {index}, ptr {self._zeros()}")
            text = self.f.op(f"load {element}, ptr {safe}, align {buffer.bytes_per_entry}")
            value = self._widened(text, buffer, 1)
            other = self.number(pad) if value.kind == "float" else self.whole(int(pad))
            return value if pad == 0 else self.select(mask, value, other)
        vector = vector_type(element, lanes)
        symbol = f"llvm.masked.{kind}.v{lanes}{_SHORT[element]}.{'p0' if kind == 'load' else f'v{lanes}p0'}"
        whole = element in ("i32", "i64")
        fill = f"splat ({element} {int(pad) if whole else self.number(pad).text})"
        spot, _, pointer = place.rpartition(" ")
        arguments = [(spot, pointer), ("i32", str(buffer.bytes_per_entry)), (f"<{lanes} x i1>", mask.text)]
        return self._widened(self.f.call(vector, symbol, [*arguments, (vector, fill)]), buffer, lanes)

    def _widened(self, text: str, buffer: Buffer, lanes: int) -> Value:
        if buffer.element == "i32":
            wide = self.f.op(f"sext {vector_type('i32', lanes)} {text} to {vector_type('i64', lanes)}")
            return Value(wide, "int", lanes)
        return Value(text, "int" if buffer.element == "i64" else "float", lanes)

    def pointer(self, buffer: Buffer, index: Whole, lanes: int = 1) -> str:
        base = self.base(buffer)
        if index == 0:
            return base
        return self.f.op(f"getelementptr {buffer.element}, ptr {base}, {vector_type('i64', lanes)} {index}")

    def base(self, buffer: Buffer) -> str:
        """The tensor's first entry; of what is kept for a micro-batch only, where example 0 would be."""
        if buffer.name not in self._bases:
            f = self.f
            if buffer.kind == "scratch":
                back = f.at_entry(f"mul i64 %origin, {-buffer.size * buffer.bytes_per_entry}")
                skip = f.at_entry(f"add i64 {back}, {self.scratch[buffer.name]}")
                base = f.at_entry(f"getelementptr i8, ptr %scratch, i64 {skip}")
            else:
                at = f.at_entry(f"getelementptr ptr, ptr %table, i64 {buffer.place}")
                base = f.at_entry(f"load ptr, ptr {at}")
            self._bases[buffer.name] = base
        return self._bases[buffer.name]

    def _zeros(self) -> str:
        """Sixteen bytes of zeros."""
        if "" not in self._bases:
            at = self.f.at_entry("getelementptr ptr, ptr %table, i64 1")
            self._bases[""] = self.f.at_entry(f"load ptr, ptr {at}")
        return self._bases[""]
