r"""What stands above: x^2, x^{-1}, x^{1/2} are powers; anything else is an error that says what to write.

    w^{(l)}   a label           W^T   a matrix without indices         p^\gamma   \exp(\gamma \log(p))
    w^1       hardly a power: if it tells apart, it belongs into the name
"""

from __future__ import annotations

__all__ = ["exponent"]

from collections.abc import Callable

from paperback.notation.expressions import UnreadableError
from paperback.notation.tex.cursor import Cursor
from paperback.notation.tex.marks import Mark


def exponent(cursor: Cursor, base: Mark) -> Callable[[], None]:
    """The number above a factor: what emits it."""
    sign = cursor.take()
    unbraced = None if cursor.done or cursor.at("{") else cursor.here
    low, high = cursor.argument_of("stands above")
    if unbraced is not None and unbraced.kind == "number" and len(unbraced.text) > 1:
        digits = unbraced.text
        raise cursor.wrong(f"^{digits} is ^{digits[0]} {digits[1:]} on paper", sign, f"write ^{{{digits}}}", unbraced)
    inside = cursor.marks[low:high]
    last = cursor.marks[cursor.place - 1]
    flat = [mark.text for mark in inside if not mark.is_sign("{", "}")]
    if "frac" in flat and len(flat) in (3, 4):  # ^{\frac{1}{2}} is ^{1/2}
        flat = [*flat[: flat.index("frac")], flat[-2], "/", flat[-1]]
    whole = flat[1:] if flat[:1] == ["-"] else flat
    numbers = [text for text in whole if text != "/"]
    if not (len(whole) in (1, 3) and whole[1::2] in ([], ["/"]) and all(text.isdigit() for text in numbers)):
        raise _no_exponent(cursor, base, sign, low, high)
    if flat in (["1"], ["0"]):
        hint = f"a label belongs into the name: \\mathit{{{base.text}{flat[0]}}}"
        cursor.complain(f"{flat[0]} above {cursor.written(base)} is hardly a power", sign, hint, last)

    def emit() -> None:
        cursor.emit("^", sign)
        if len(flat) > 1:
            cursor.emit("(", sign)
        for text in flat:
            cursor.emit(text, inside[0], "number" if text.isdigit() else "op")
        if len(flat) > 1:
            cursor.emit(")", last)

    return emit


def _no_exponent(cursor: Cursor, base: Mark, sign: Mark, low: int, high: int) -> UnreadableError:
    """Why what stands above is no number."""
    inside, written, last = cursor.marks[low:high], cursor.slice(low, high), cursor.marks[cursor.place - 1]
    shown = cursor.source[base.start : sign.start].rstrip()
    if not inside:
        return cursor.wrong("what stands above is missing", sign)
    if inside[0].is_sign("(", "["):
        named = cursor.slice(low + 1, high - 1)
        hint = f"write a power without parentheses, a layer or a step in the name: \\mathit{{{base.text}\\_{named}}}"
        return cursor.wrong(f"{written} above {shown} is a label, not a power", sign, hint, last)
    if written in ("T", r"\mathrm{T}", r"\mathsf{T}", r"\text{T}") and base.kind == "name":
        hint = f"write the indices, exchanged: {shown}_{{ji}}"
        return cursor.wrong(f"{shown}^{written} has no indices", sign, hint, last)
    if inside[0].is_sign("star") and base.kind == "name":
        return cursor.wrong(f"* above {shown} is no power", sign, f"write \\mathit{{{base.text}\\_star}}", last)
    if inside[0].kind == "sign" and not inside[0].is_sign("-", "frac"):
        return cursor.wrong(f"{written} above {shown} is no power", sign, "a power is a number: 2, -1 or 1/2", last)
    inner = shown[1:-1].strip() if base.is_sign("(") else shown
    hint = f"of a positive base write \\exp({written} \\log({inner}))"
    if base.kind == "name" and len(inside) == 1:
        hint += f"; a label belongs into the name: \\mathit{{{base.text}\\_{inside[0].text}}}"
    return cursor.wrong(f"the exponent {written} is no number", sign, hint, last)
