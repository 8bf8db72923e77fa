"""Textual LLVM IR, written function by function: values in SSA form, loops with carried values.

    with f.loop(0, n, carried=[zero]) as loop:          acc = 0
        loop.next = [f.binary("fadd", loop.carried[0], x)]      for i in range(0, n): acc = acc + x
    total = loop.results[0]

There is no optimiser behind: what is written is what runs, but for instruction selection, scheduling and registers.
Whole numbers that are known fold here, so that an address is as short as it can be.
"""

from __future__ import annotations

__all__ = ["BOOL", "INT", "Function", "Loop", "Whole", "float_literal", "vector_type"]

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

INT = "i64"
BOOL = "i1"

Whole = int | str
"""A number known now, or the name of an i64."""


def vector_type(element: str, lanes: int) -> str:
    return element if lanes == 1 else f"<{lanes} x {element}>"


def float_literal(value: float, element: str) -> str:
    """A constant: hexadecimal, exactly the float32 or float64 nearest to the value."""
    if element == "float":
        try:
            value = struct.unpack("<f", struct.pack("<f", value))[0]
        except OverflowError:
            value = float("inf") if value > 0 else float("-inf")
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


@dataclass
class Loop:
    """A loop that is being written. Set `next` before it ends; `results` are there after it."""

    index: str
    carried: list[str]
    next: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)


class Function:
    """A function `define void @name(arguments)`, line by line."""

    def __init__(self, name: str, arguments: Sequence[tuple[str, str]], attributes: str = "", internal: bool = False):
        self.name = name
        self._head = ", ".join(f"{kind} %{argument}" for kind, argument in arguments)
        self._attributes = attributes
        self._linkage = "internal " if internal else ""
        self.lines: list[str] = []
        self.entry: list[str] = []
        self.declarations: set[str] = set()
        self.definitions: dict[str, str] = {}
        self._serial = 0
        self.block = "entry"

    def __str__(self) -> str:
        body = "\n".join((*self.entry, *self.lines))
        return f"define {self._linkage}void @{self.name}({self._head}) {self._attributes} {{\nentry:\n{body}\n}}\n"

    # --- lines -------------------------------------------------------------------------------------------------------

    def new(self) -> str:
        self._serial += 1
        return f"%v{self._serial}"

    def op(self, text: str) -> str:
        """`%v = text`; the name of the value."""
        name = self.new()
        self.lines.append(f"  {name} = {text}")
        return name

    def at_entry(self, text: str) -> str:
        """A value made once, before everything else; it must depend on arguments and other such values alone."""
        name = self.new()
        self.entry.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def call(self, kind: str, symbol: str, arguments: Sequence[tuple[str, str]]) -> str:
        """Call an intrinsic or another module's function, declaring it."""
        kinds = ", ".join(k for k, _ in arguments)
        self.declarations.add(f"declare {kind} @{symbol}({kinds})")
        text = f"call {kind} @{symbol}({', '.join(f'{k} {a}' for k, a in arguments)})"
        if kind == "void":
            self.do(text)
            return ""
        return self.op(text)

    def _label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name

    # --- whole numbers -----------------------------------------------------------------------------------------------

    def add(self, a: Whole, b: Whole) -> Whole:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0:
            return b
        return a if b == 0 else self.op(f"add nsw i64 {a}, {b}")

    def sub(self, a: Whole, b: Whole) -> Whole:
        if isinstance(b, int):
            return self.add(a, -b)
        return self.op(f"sub nsw i64 {a}, {b}")

    def mul(self, a: Whole, b: Whole) -> Whole:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        for x, y in ((a, b), (b, a)):
            if x == 0:
                return 0
            if x == 1:
                return y
        return self.op(f"mul nsw i64 {a}, {b}")

    def least(self, a: Whole, b: Whole) -> Whole:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return a if a == b else self.call(INT, "llvm.smin.i64", [(INT, str(a)), (INT, str(b))])

    def greatest(self, a: Whole, b: Whole) -> Whole:
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        return a if a == b else self.call(INT, "llvm.smax.i64", [(INT, str(a)), (INT, str(b))])

    # --- control -----------------------------------------------------------------------------------------------------

    @contextmanager
    def loop(
        self, start: Whole, stop: Whole, step: Whole = 1, carried: Sequence[tuple[str, str]] = ()
    ) -> Iterator[Loop]:
        """`for index in range(start, stop, step)` with carried (type, first value) pairs.

        A loop that is known to turn is tested at its end, any other at its start.
        """
        turns = isinstance(start, int) and isinstance(stop, int) and start < stop
        before = self.block
        self._serial += 1
        serial = self._serial
        head, body, end = f"head{serial}", f"body{serial}", f"end{serial}"
        self.do(f"br label %{head}")
        self._label(head)
        index = f"%i{serial}"
        names = [self.new() for _ in carried]
        place = len(self.lines)
        loop = Loop(index, names)
        if not turns:
            test = self.op(f"icmp slt i64 {index}, {stop}")
            self.do(f"br i1 {test}, label %{body}, label %{end}")
            self._label(body)
        yield loop
        following = self.op(f"add nsw i64 {index}, {step}")
        latch = self.block
        assert len(loop.next) == len(carried), "a loop must say what it carries on"
        if turns:
            test = self.op(f"icmp slt i64 {following}, {stop}")
            self.do(f"br i1 {test}, label %{head}, label %{end}")
        else:
            self.do(f"br label %{head}")
        phis = [f"  {index} = phi i64 [ {start}, %{before} ], [ {following}, %{latch} ]"]
        for name, (kind, first), after in zip(names, carried, loop.next, strict=True):
            phis.append(f"  {name} = phi {kind} [ {first}, %{before} ], [ {after}, %{latch} ]")
        self.lines[place:place] = phis
        self._label(end)
        loop.results = list(loop.next) if turns else names

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """A block that runs where the condition holds."""
        self._serial += 1
        then, end = f"then{self._serial}", f"fi{self._serial}"
        self.do(f"br i1 {condition}, label %{then}, label %{end}")
        self._label(then)
        yield
        self.do(f"br label %{end}")
        self._label(end)

    def finish(self) -> None:
        self.do("ret void")
