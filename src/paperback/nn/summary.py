"""The summary of a network: one line per layer, with its formula, as plain text or as a table of HTML."""

from __future__ import annotations

__all__ = ["summary", "summary_table"]

from paperback.markup import Html, join, raw, table, tag
from paperback.nn.network import Network

_Row = tuple[str, str, str, str, str]
_HEAD: _Row = ("layer", "output", "parameters", "flops", "formula")


def summary(network: Network) -> str:
    """Names, output shapes (without the batch), parameter counts, operations per example (see `count`), formulas."""
    rows: list[_Row] = [_HEAD]
    for name, shape, count, work, formula in _rows(network):
        first, *rest = formula.splitlines() or [""]
        rows += [(name, shape, count, work, first), *(("", "", "", "", line) for line in rest)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join([*map(_pad, row, widths, range(4)), row[4]]).rstrip() for row in rows]
    return "\n".join([*lines, "", _total(network)])


def summary_table(network: Network) -> Html:
    """The same as a table."""
    rows = [[*cells, tag("code", join(formula.splitlines(), raw("<br/>")))] for *cells, formula in _rows(network)]
    return table(_HEAD, rows, numbers=_HEAD[2:4], caption=_total(network))


def _rows(network: Network) -> list[_Row]:
    rows: list[_Row] = [("input", _shape(network.input_shape), "", "", "")]
    for layer in network.layers:
        count = f"{layer.parameter_count:,}" if layer.parameters else ""
        rows.append((layer.name, _shape(layer.output_shape), count, f"{layer.flops:,}", layer.formula))
    return rows


def _total(network: Network) -> str:
    total = sum(layer.parameter_count for layer in network.layers)
    work = sum(layer.flops for layer in network.layers)
    return f"{total:,} parameters; {work:,} operations forward per example (a multiply-add is 2)"


def _pad(text: str, width: int, column: int) -> str:
    return text.rjust(width) if column in (2, 3) else text.ljust(width)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "1"
