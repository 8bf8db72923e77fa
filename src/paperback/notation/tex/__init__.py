r"""LaTeX in: a formula as it stands in a paper, read into the tree that plain text gives; `parse` is the way in.

A text is LaTeX if it has a backslash, a dollar, or a brace behind _ or ^: none of them means anything in plain text.
All else is loaded where there is such a text.
"""

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from paperback.arguments import absent

if TYPE_CHECKING:
    from paperback.notation.tex import hints, parse, scope

__all__ = ["hints", "is_latex", "parse", "scope"]

_LATEX = re.compile(r"\\|\$|[_^]\s*\{")


def is_latex(text: str) -> bool:
    """Is it LaTeX rather than plain text?"""
    return _LATEX.search(text) is not None


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise absent(__name__, name, __all__)
    return import_module(f"{__name__}.{name}")
