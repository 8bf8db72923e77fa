"""The chain rule on a page: the product, every factor with its shape, structure and formula, and what comes of them.

    d loss/d dense_1.w = d loss/d dense_1.y * d dense_1.y/d dense_1.w

    d dense_1.y/d dense_1.w   # 10 by 4x10, ...
      dense_1.dy_dw[o,t,u] = [u == o]*input[t]

As text, and as LaTeX.
"""

from __future__ import annotations

__all__ = ["latex", "lines", "product"]

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from paperback.learn.studies.links import Factor, Link
from paperback.notation.expr import Statement
from paperback.notation.latex import Latex, latex_statement
from paperback.notation.show import show_statement
from paperback.program.program import Program

_WIDTH = 110
_LAYER = re.compile(r"\w+_\d+(?:\.\w+)?")
_BEGIN, _END = "\\begin{aligned}\n", "\n\\end{aligned}"
_SHOWN = "multiplied from the left:"


def product(links: Sequence[Link]) -> str:
    """The product as text: `d loss/d y * (d y/d x + d y/d f * d f/d x)`."""
    return " * ".join(
        str(link) if isinstance(link, Factor) else f"({' + '.join(map(product, link.each))})" for link in links
    )


def lines(
    title: str, program: Program, of: str, chains: Mapping[str, Sequence[Link]], backward: Sequence[Statement]
) -> Iterator[str]:
    """The page as text. `chains`: tensor -> the links of `d of / d tensor`; a factor is printed once."""
    yield title
    for by, links in chains.items():
        yield from ("", *_broken(f"d {of}/d {by} = {product(links)}", links))
    plain = _plain(program, backward)
    for depth, row in _rows(chains.values()):
        space = "  " * depth
        yield from () if depth else ("",)
        if not isinstance(row, Factor):
            yield f"{space}{row}:"
            continue
        yield f"{space}{row}   # {row.about}"
        for statement in _own(row, program):
            yield f"{space}  {show_statement(statement, extents=False, plain=plain)}"
    yield from ("", _SHOWN)
    yield from (f"  {show_statement(statement, extents=False, plain=plain)}" for statement in backward)


def latex(
    title: str, program: Program, of: str, chains: Mapping[str, Sequence[Link]], backward: Sequence[Statement]
) -> str:
    """The same in LaTeX, as one `aligned`."""
    plain = _plain(program, backward)
    rows = [f"&{_words(title)}"]
    rows += [rf"{_fraction(of, by)} &= {_product(links)}" for by, links in chains.items()]
    for depth, row in _rows(chains.values()):
        space = r"\quad" * depth
        if not isinstance(row, Factor):
            rows.append(f"&{space} {_words(f'{row}:')}")
            continue
        *others, jacobian = (latex_statement(statement, plain) for statement in _own(row, program))
        rows += [rf"{_fraction(row.of, row.by)} &:{space}\; {jacobian}", *(rf"&{space}\quad {text}" for text in others)]
    rows.append(f"&{_words(_SHOWN)}")
    rows += [_row(latex_statement(statement, plain)) for statement in backward]
    return _BEGIN + " \\\\\n".join(rows) + _END


def _words(text: str) -> str:
    """Words among formulas; the names of layers and tensors in them as formulas write them."""
    words = _LAYER.sub(lambda found: rf"}} {_name(found[0])} \text{{", text)
    return rf"\text{{{words}}}"


def _row(text: str) -> str:
    """A statement as a row, or rows, of the page's own `aligned`."""
    if text.startswith(_BEGIN):
        return text.removeprefix(_BEGIN).removesuffix(_END)
    return text.replace(" = ", " &= ", 1)


def _rows(chains: Iterable[Sequence[Link]]) -> Iterator[tuple[int, Link | str]]:
    """What is printed under the products, with its depth: every factor and sum once, and titles for ways."""
    seen: set[tuple[str, str]] = set()

    def rows(links: Sequence[Link], depth: int) -> Iterator[tuple[int, Link | str]]:
        for link in links:
            if (link.of, link.by) in seen:
                continue
            if isinstance(link, Factor):
                seen.add((link.of, link.by))
                yield depth, link
                continue
            yield depth, link
            for number, way in enumerate(link.each, 1):
                yield depth + 1, f"way {number}, a skip" if len(way) == 1 else f"way {number}"
                yield from rows(way, depth + 2)
            seen.add((link.of, link.by))

    for links in chains:
        yield from rows(links, 0)


def _broken(text: str, links: Sequence[Link]) -> Iterator[str]:
    """The line of a product; too long, a line for every link."""
    if len(text) <= _WIDTH:
        yield text
        return
    first, *rest = (product([link]) for link in links)
    yield f"{text.partition(' = ')[0]} = {first}"
    yield from (f"  * {each}" for each in rest)


def _own(factor: Factor, program: Program) -> Iterator[Statement]:
    """The statements of a factor's Jacobian that the network does not compute itself."""
    return (s for s in factor.jacobian.block.statements if s.target not in program.tensors)


def _plain(program: Program, backward: Sequence[Statement]) -> list[str]:
    """Tensors that are written without `[]`."""
    computed = [statement.target for statement in backward if not statement.axes]
    return [*computed, *(tensor.name for tensor in program.tensors.values() if not tensor.axes)]


_name = Latex().name


def _product(links: Sequence[Link]) -> str:
    """The product in LaTeX."""
    parts = (
        _fraction(link.of, link.by)
        if isinstance(link, Factor)
        else rf"\left({' + '.join(map(_product, link.each))}\right)"
        for link in links
    )
    return r" \; ".join(parts)


def _fraction(of: str, by: str) -> str:
    return rf"\frac{{\partial {_name(of)}}}{{\partial {_name(by)}}}"
