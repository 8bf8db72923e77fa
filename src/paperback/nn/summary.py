"""The summary of a network: one line per layer, with its formula, as plain text."""

from __future__ import annotations

__all__ = ["summary"]

from paperback.nn.network import Network

_HEAD = ("layer", "output", "parameters", "flops", "formula")


def summary(network: Network) -> str:
    """Names, output shapes (without the batch), parameter counts, operations per example (see `count`), formulas."""
    rows = [_HEAD, ("input", _shape(network.input_shape), "", "", "")]
    for layer in network.layers:
        first, *rest = layer.formula.splitlines()
        count = f"{layer.parameter_count:,}" if layer.parameters else ""
        rows.append((layer.name, _shape(layer.output_shape), count, f"{layer.flops:,}", first))
        rows += [("", "", "", "", line) for line in rest]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join([*map(_pad, row, widths, range(4)), row[4]]).rstrip() for row in rows]
    total = sum(layer.parameter_count for layer in network.layers)
    work = sum(layer.flops for layer in network.layers)
    lines += ["", f"{total:,} parameters; {work:,} operations forward per example (a multiply-add is 2)"]
    return "\n".join(lines)


def _pad(text: str, width: int, column: int) -> str:
    return text.rjust(width) if column in (2, 3) else text.ljust(width)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "1"
