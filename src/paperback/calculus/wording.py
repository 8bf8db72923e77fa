"""The words for a structure: `block diagonal of doubly block Toeplitz matrices, bands 0..P-1 and 0..Q-1`."""

from __future__ import annotations

__all__ = ["index_text", "structure_words"]

from collections.abc import Sequence

from paperback.calculus.structure import Count, Pair, Part
from paperback.notation.affine import Affine
from paperback.notation.size import Size
from paperback.notation.spell import affine_text

Side = Sequence[tuple[str, Size]]  # names and extents of letters
_ONE = Size.of(1)
_BLOCKS = ("", "doubly block ", "triply block ")
_RANKS = ("zero", "one", "two", "three", "four")


def structure_words(parts: Sequence[Part], sides: tuple[Side, Side], places: Sequence[str] = ()) -> str:
    """The words for a Kronecker product of parts; `places` are where the rows lie, if not one after another."""
    at = f", rows at {', '.join(places)}" if places else ""
    if not parts:
        return "a number" + at
    words = [part_words(part, sides) for part in parts]
    if len(parts) == 1:
        scaled = parts[0].kind == "identity" and parts[0].values != "ones"
        return ("a multiple of the identity" if scaled else words[0]) + at
    named = [f"{text} over {_letters(part, sides)}" for part, text in zip(parts, words, strict=True)]
    return f"Kronecker product of {', '.join(named[:-1])} and {named[-1]}{at}"


def _letters(part: Part, sides: tuple[Side, Side]) -> str:
    pairs = zip(sides, (part.rows, part.columns), strict=True)
    return ",".join(side[place][0] for side, places in pairs for place in places)


def part_words(part: Part, sides: tuple[Side, Side]) -> str:
    """The words for one part."""
    if part.kind in ("row", "column"):
        return f"constant {part.kind}" if part.values == "equal" else f"{part.kind} vector"
    if part.kind in ("identity", "diagonal") and not _keeps_order(part):
        return "permutation" if part.kind == "identity" else "diagonal up to a permutation"
    if part.kind == "diagonal":
        return "diagonal of 0 and 1" if part.values == "zero or one" else "diagonal"
    if part.kind == "selection":
        return _selection(part, sides)
    if part.kind in ("identity", "dense", "rank one"):
        return part.kind
    core = _core(part, sides)
    text = core
    for kind in ("banded", "Toeplitz"):
        bands = [pair for pair in part.pairs if pair.kind == kind]
        text = _bands(bands, text, sides) if bands else text
    if any(pair.kind == "selection" for pair in part.pairs):
        return f"one block per row of blocks, {text}"
    if any(pair.kind == "identity" for pair in part.pairs):
        name, comma, more = text.partition(", ")
        return f"block diagonal of {name} blocks{comma}{more}"
    return text


def _keeps_order(part: Part) -> bool:
    """Do the letters of the columns come in the order of the rows that they are paired with?"""
    pairs = sorted(part.pairs, key=lambda pair: pair.columns)
    rows = [row for pair in pairs for row in pair.rows]
    columns = [column for pair in pairs for column in pair.columns]
    return rows == sorted(rows) and columns == sorted(columns)


def _selection(part: Part, sides: tuple[Side, Side]) -> str:
    rows, columns = (
        Count.of(*(side[place][1] for place in places))
        for side, places in zip(sides, (part.rows, part.columns), strict=True)
    )
    thing = "1" if part.values in ("ones", "zero or one") else "entry"
    known = part.count.size if part.count.exact else None
    if known == columns.size and known != rows.size:
        return f"selection (one {thing} per column)"
    return f"selection (one {thing} per row)" if known == rows.size else f"selection (at most one {thing} per row)"


def _core(part: Part, sides: tuple[Side, Side]) -> str:
    """What is left beside the pairs."""
    if part.rank:
        much = _RANKS[part.rank] if part.rank < len(_RANKS) else str(part.rank)
        if part.minus:
            return "diagonal minus rank one"
        return f"diagonal plus rank {'' if part.rank == 1 else 'at most '}{much}"
    rows, columns = (
        Count.of(*(side[place][1] for place in places)) for side, places in zip(sides, part.core, strict=True)
    )
    return f"dense {rows} x {columns}" if any(part.core) else ""


def _bands(bands: Sequence[Pair], core: str, sides: tuple[Side, Side]) -> str:
    """`strided Toeplitz (stride 2), band 0..P-1, of dense K x R blocks`."""
    kind = "banded" if bands[0].kind == "banded" else "Toeplitz"
    if kind == "Toeplitz" and all(_is_negative(pair.stride) for pair in bands):
        kind = "Hankel"
    turned = "transposed " if any(pair.turned for pair in bands) else ""
    strides = [-pair.stride if _is_negative(pair.stride) else pair.stride for pair in bands]
    block = _BLOCKS[len(bands) - 1] if len(bands) <= len(_BLOCKS) else f"{len(bands)}-fold block "
    text = ("block " if core and len(bands) == 1 else block) + kind
    if any(stride != _ONE for stride in strides):
        text = f"{turned}strided {text} ({_listed('stride', list(map(str, strides)))})"
    if triangle := _triangle(bands, sides):
        text = " ".join(["block"] * bool(core) + [triangle] + ["Toeplitz"] * (kind == "Toeplitz"))
    elif all(pair.low is not None or pair.high is not None for pair in bands):
        text += f", {_listed('band', [f'{_end(pair.low)}..{_end(pair.high)}' for pair in bands])}"
    if not core:
        return text
    return f"{text}, of {core}{'' if core.endswith('blocks') else ' blocks'}"


def _triangle(bands: Sequence[Pair], sides: tuple[Side, Side]) -> str:
    """A band of a square without a lower or an upper end."""
    pair = bands[0]
    extents = sides[0][pair.rows[0]][1], sides[1][pair.columns[0]][1]
    if len(bands) > 1 or pair.stride != _ONE or extents[0] != extents[1]:
        return ""
    ends = {
        (None, Size()): "lower", (None, -_ONE): "strictly lower",
        (Size(), None): "upper", (_ONE, None): "strictly upper",
    }  # fmt: skip
    side = ends.get((pair.low, pair.high))
    return f"{side} triangular" if side else ""


def _is_negative(size: Size) -> bool:
    return (-size).is_positive()


def _end(size: Size | None) -> str:
    return "" if size is None else str(size)


def _listed(name: str, texts: Sequence[str]) -> str:
    """`band a`, `bands a and b`, `bands a, b and c`."""
    if len(texts) == 1:
        return f"{name} {texts[0]}"
    return f"{name}s {', '.join(texts[:-1])} and {texts[-1]}"


def index_text(index: Affine) -> str:
    """An index as it is written on the left of a statement."""
    return affine_text(index)
