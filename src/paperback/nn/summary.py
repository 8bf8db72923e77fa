"""The summary of a network: what every layer computes, what it costs, and how much of the input it sees.

    flops         operations forward for one example, as the formulas are written: a multiply-add is 2 (see `count`)
    memory        bytes that a training step holds for a batch: all that the layer's statements give forward, and its
                  random masks. The backward sweep reads from these; an engine that reuses memory holds less
    field, jump, offset
                  the receptive field (see `receptive`), over the places of the input: a jump of 0 says that all
                  places see the same, ? that the field moves irregularly
    forward, backward
                  measured seconds for the batch (see `timing`), where they are asked for
"""

from __future__ import annotations

__all__ = ["LayerSummary", "Summary", "summarize", "summary"]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from paperback.markup import Html, join, raw, table, tag
from paperback.nn.layers.layer import Shape
from paperback.nn.network import Network
from paperback.nn.receptive import Field, receptive_fields
from paperback.nn.timing import LayerTime
from paperback.notation.size import evaluate
from paperback.program.backward import gradients

_BATCH = 64
_INTEGER = 8  # bytes of a position


@dataclass(frozen=True)
class LayerSummary:
    """One line of a summary; `memory` is that of activations, for the batch of the summary."""

    name: str
    formula: str
    output_shape: Shape
    parameters: int
    parameter_bytes: int
    flops: int
    memory: int
    field: Field | None
    time: LayerTime | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it. A jump is null where the field does not move regularly."""
        seen = None if self.field is None else {
            "size": list(self.field.size),
            "jump": [None if by is None else float(by) for by in self.field.jump],
            "offset": list(self.field.offset),
        }  # fmt: skip
        measured = {} if self.time is None else {
            "forward_seconds": self.time.forward, "backward_seconds": self.time.backward
        }  # fmt: skip
        return {
            "name": self.name, "formula": self.formula, "output_shape": list(self.output_shape),
            "parameters": self.parameters, "parameter_bytes": self.parameter_bytes, "flops": self.flops,
            "activation_bytes": self.memory, "receptive_field": seen, **measured,
        }  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """The lines of a network's summary; printed, a table."""

    input_shape: Shape
    batch: int
    layers: tuple[LayerSummary, ...]

    def __str__(self) -> str:
        head, rows = self._cells()
        lines = [head]
        for *cells, formula in rows:
            first, *rest = formula.splitlines() or [""]
            lines += [[*cells, first], *([""] * len(cells) + [line] for line in rest)]
        last = len(head) - 1
        widths = [max(len(line[column]) for line in lines) for column in range(last)]
        shown = ["  ".join([*(map(_pad, line, widths, head)), line[last]]).rstrip() for line in lines]
        return "\n".join([*shown, "", self.total])

    def table(self) -> Html:
        """The same as markup."""
        head, rows = self._cells()
        marked = [[*cells, tag("code", join(formula.splitlines(), raw("<br/>")))] for *cells, formula in rows]
        return table(head, marked, numbers=_NUMBERS, caption=self.total)

    @property
    def total(self) -> str:
        parameters, size, work, memory = (
            sum(getattr(layer, name) for layer in self.layers)
            for name in ("parameters", "parameter_bytes", "flops", "memory")
        )
        text = (
            f"{parameters:,} parameters ({_bytes(size)}); {work:,} operations forward per example (a multiply-add is "
            f"2); {_bytes(memory)} of activations in a training step of {self.batch}"
        )
        times = [layer.time for layer in self.layers if layer.time is not None]
        if times:
            there, back = sum(time.forward for time in times), sum(time.backward for time in times)
            text += f", {_seconds(there)} forward and {_seconds(back)} backward"
        return text

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        timed = any(layer.time for layer in self.layers)
        head = ["layer", "output", "parameters", "flops", "memory", "field", "jump", "offset"]
        head += [*(["forward", "backward"] if timed else []), "formula"]
        rows = [["input", _shape(self.input_shape), *[""] * (len(head) - 2)]]
        for layer in self.layers:
            time = layer.time or LayerTime(0, 0)
            rows.append([
                layer.name, _shape(layer.output_shape), f"{layer.parameters:,}" if layer.parameters else "",
                f"{layer.flops:,}", _bytes(layer.memory), *_seen(layer.field),
                *([_seconds(time.forward), _seconds(time.backward)] if timed else []), layer.formula,
            ])  # fmt: skip
        return head, rows


_NUMBERS = ("parameters", "flops", "memory", "forward", "backward")


def summarize(
    network: Network, batch: int = _BATCH, itemsize: int = 4, times: Mapping[str, LayerTime] | None = None
) -> Summary:
    """The summary for a batch of numbers of `itemsize` bytes; with `times`, of `timing.layer_times`, those too."""
    fields, memory = receptive_fields(network), _memory(network, batch, itemsize)
    lines = tuple(
        LayerSummary(
            layer.name, layer.formula, layer.output_shape, layer.parameter_count, layer.parameter_count * itemsize,
            layer.flops, memory[layer.name], fields[layer.name], (times or {}).get(layer.name),
        )
        for layer in network.layers
    )  # fmt: skip
    return Summary(network.input_shape, batch, lines)


def summary(network: Network) -> str:
    """The summary as text."""
    return str(summarize(network))


def _memory(network: Network, batch: int, itemsize: int) -> dict[str, int]:
    """Bytes of activations by layer, those that only the backward sweep reads (as places of maxima) included."""
    program, _ = gradients(network.train, network.output, list(network.parameters), cotangent="cotangent")
    found = {layer.name: 0 for layer in network.layers}
    sizes = {program.batch: batch}
    held = [s.target for s in program.statements if s.target not in program.adjoints] + list(network.masks)
    for name in held:
        tensor = program.tensors[name]
        count = prod(evaluate(axis, sizes) for axis in tensor.axes)
        found[name.split(".")[0]] += count * (_INTEGER if tensor.integer else itemsize)
    return found


def _seen(field: Field | None) -> list[str]:
    """Size, jump and offset over the places of the input: all axes but its channels, or its only one."""
    if field is None:
        return ["none", "", ""]
    places = slice(max(len(field.size) - 1, 1))
    jump = ["?" if by is None else str(by) for by in field.jump]
    return ["x".join(map(str, field.size[places])), "x".join(jump[places]), ",".join(map(str, field.offset[places]))]


def _pad(text: str, width: int, title: str) -> str:
    return text.rjust(width) if title in _NUMBERS else text.ljust(width)


def _shape(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "1"


def _bytes(count: int) -> str:
    return _scaled(count, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))


def _seconds(seconds: float) -> str:
    return _scaled(seconds * 1e6, 1000, ("us", "ms", "s"))


def _scaled(number: float, step: int, units: Sequence[str]) -> str:
    place = 0
    while number >= step and place < len(units) - 1:
        number, place = number / step, place + 1
    return f"{number:.3g} {units[place]}" if number < step else f"{number:,.0f} {units[place]}"
