"""What a package offers, each from the module that is its home, loaded when it is first asked for.

    __getattr__, __dir__ = offer(__name__, {"Conv2d": "conv", "Dense": "dense"}, modules=("summary",))

Who trains a network does not wait for what draws charts. The same names stand in the package under TYPE_CHECKING, where
checkers of types, and readers, find them. No name may be that of a module in the package: whoever imports the module
would have it in place of what is meant.
"""

from __future__ import annotations

__all__ = ["offer"]

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any

from paperback.arguments import absent


def offer(
    package: str, homes: Mapping[str, str], modules: Collection[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package: its names with their homes, and modules of its own."""

    def get(name: str) -> Any:
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in homes:
            raise absent(package, name, [*homes, *modules])
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted({*vars(sys.modules[package]), *homes, *modules})
