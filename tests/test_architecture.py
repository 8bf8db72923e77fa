"""The house rules that no reader can check by eye: who may import whom, where, how long a file is, what loads at once.

The rules are functions of one file's source, so that planted violations can show that each of them bites.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
ORDER = (
    "errors arguments later markup notation calculus program identities engines jacobians formulas proofs nn learn "
    "rewrites data diagnosis reports interop claims cli"
).split()
RESERVED = {"data": {"cli"}}  # a unit that only these may import
OPTIONAL = {"torch", "jax", "llvmlite", "mpmath", "rich", "PIL", "scipy"}
HEAVY = ["torch", "jax", "PIL", "scipy", "mpmath", "rich", "click", "safetensors", "llvmlite"]
LATER = ("paperback", "later")  # which loads by name what a package offers
MAX_LINES = 400

Place = tuple[str, ...]  # a module's name in parts: ("paperback", "notation", "parse")
FILES = sorted((SOURCE / "paperback").rglob("*.py"))
PACKAGES = [".".join(path.parent.relative_to(SOURCE).parts) for path in FILES if path.name == "__init__.py"]


def parts_of(path: Path) -> Place:
    return path.relative_to(SOURCE).with_suffix("").parts


def unit_of(parts: Place) -> str:
    """The entry of ORDER a module belongs to; "" is the package itself, which offers everything."""
    if len(parts) == 1 or parts[1] == "__init__":
        return ""
    return "cli" if parts[1] == "__main__" else parts[1]


def imported(node: ast.AST, place: Place) -> Iterator[Place]:
    """The full names one import statement, or call of import_module, brings in."""
    if isinstance(node, ast.Import):
        yield from (tuple(alias.name.split(".")) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = place[: -node.level] if node.level else ()
        base += tuple(node.module.split(".")) if node.module else ()
        # `from paperback import nn` names a unit; `from paperback import Model` the package.
        for alias in node.names:
            yield (*base, alias.name) if base == ("paperback",) and alias.name in ORDER else base
    elif isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__"):
            name = node.args[0] if node.args else None
            known = isinstance(name, ast.Constant) and isinstance(name.value, str)
            yield tuple(name.value.split(".")) if known else ("?",)


def inside(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node inside a function; a call, as of import_module, counts anywhere."""
    for top in ast.walk(tree):
        if isinstance(top, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from ast.walk(top)
        elif isinstance(top, ast.Call):
            yield top


def lazy_calls(tree: ast.Module) -> set[ast.AST]:
    """The nodes inside a module's own __getattr__."""
    return {
        node
        for top in tree.body
        if isinstance(top, ast.FunctionDef) and top.name == "__getattr__"
        for node in ast.walk(top)
    }


def wrong_direction(source: str, place: Place) -> list[str]:
    """Imports of a later unit, of a reserved one, or of the package as a whole."""
    unit = unit_of(place)
    if not unit:
        return []
    if unit not in ORDER:
        return [f"{'.'.join(place)} is no part of the house: {' '.join(ORDER)}"]
    found = []
    for node in ast.walk(ast.parse(source)):
        for name in imported(node, place):
            if name[:1] != ("paperback",):
                continue
            other = unit_of(name)
            fits = (
                unit == "cli"
                or other == unit
                or (
                    other in ORDER
                    and ORDER.index(other) < ORDER.index(unit)
                    and unit in RESERVED.get(other, {unit})
                )
            )
            if not fits:
                found.append(f"{'.'.join(place)}:{getattr(node, 'lineno', 0)}: {unit} imports {'.'.join(name)}")
    return found


def hidden(source: str, place: Place) -> list[str]:
    """Imports inside functions, except optional packages, and public names in the __getattr__ of an __init__."""
    tree = ast.parse(source)
    lazy = lazy_calls(tree) if place[-1] == "__init__" else set()
    found = set()
    for node in inside(tree):
        for name in imported(node, place):
            if name[0] in OPTIONAL or (node in lazy and name[0] in ("paperback", "?")):
                continue
            if place == LATER and name == ("?",):
                continue
            found.add(f"{'.'.join(place)}:{getattr(node, 'lineno', 0)}: a hidden import of {'.'.join(name)}")
    return sorted(found)


def undocumented(source: str, place: Place) -> list[str]:
    return [] if ast.get_docstring(ast.parse(source)) else [f"{'.'.join(place)} does not say what it is for"]


def too_long(source: str, place: Place) -> list[str]:
    count = len(source.splitlines())
    return [f"{'.'.join(place)} has {count} lines, a file has at most {MAX_LINES}"] if count > MAX_LINES else []


@pytest.mark.parametrize("rule", [wrong_direction, hidden, undocumented, too_long])
def test_every_file_keeps_the_rule(rule: object) -> None:
    assert callable(rule)
    found = [line for path in FILES for line in rule(path.read_text(encoding="utf-8"), parts_of(path))]
    assert not found, "\n".join(found)


def test_the_files_were_seen() -> None:
    assert len(FILES) > 0
    assert {unit_of(parts_of(path)) for path in FILES} >= {"errors", "notation", "data"}


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("notation.parse", "from paperback.errors import FormulaError"),
        ("notation.parse", "from .expr import Expr"),
        ("notation.parse", "from ..errors import FormulaError"),
        ("notation.parse", "import numpy"),
        ("learn.model", "import paperback.nn.network as network"),
        ("formulas", "from paperback import notation"),
        ("cli.main", "from paperback import Model"),
        ("cli.main", "from paperback.data import load"),
        ("__main__", "from paperback.cli.main import main"),
        ("__init__", "from paperback.cli.main import main"),
    ],
)
def test_directions_that_are_right(place: str, source: str) -> None:
    assert wrong_direction(source, ("paperback", *place.split("."))) == []


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("errors", "import paperback.notation"),
        ("notation.parse", "from paperback.calculus.diff import derivative"),
        ("notation.parse", "from ..calculus import diff"),
        ("notation.parse", "from .. import calculus"),
        ("notation.__init__", "from paperback import formula"),
        ("notation.__init__", "from .. import nn"),
        ("nn.layers.conv", "from ...learn import model"),
        ("nn.layers.conv", "from paperback import Model"),
        ("nn.layers.conv", "import paperback"),
        ("nn.layers.conv", "def f():\n    from paperback.learn import model"),
        ("nn.layers.conv", "if TYPE_CHECKING:\n    from paperback.learn.model import Model"),
        ("nn.layers.conv", "importlib.import_module('paperback.learn')"),
        ("interop.torch", "from paperback.data import load"),
        ("diagnosis.doctor", "import paperback.data.idx"),
        ("rewrites.apply", "from paperback.data import load"),
        ("helpers", "import numpy"),
    ],
)
def test_directions_that_are_wrong(place: str, source: str) -> None:
    assert len(wrong_direction(source, ("paperback", *place.split(".")))) == 1


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("formulas", "import numpy"),
        ("formulas", "class A:\n    import numpy"),
        ("formulas", "def f():\n    import torch"),
        ("formulas", "def f():\n    from jax import numpy"),
        ("formulas", "def f():\n    return import_module('llvmlite.binding')"),
        ("__init__", "def __getattr__(name):\n    from paperback.formulas import formula"),
        ("data.__init__", "def __getattr__(name):\n    return import_module(f'{__name__}.{name}')"),
    ],
)
def test_imports_in_the_open(place: str, source: str) -> None:
    assert hidden(source, ("paperback", *place.split("."))) == []


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("formulas", "def f():\n    import numpy"),
        ("formulas", "class A:\n    def f(self):\n        from paperback.notation import parse"),
        ("formulas", "async def f():\n    def g():\n        import json"),
        ("formulas", "def __getattr__(name):\n    from paperback.notation import parse"),
        ("formulas", "f = lambda: __import__('json')"),
        ("formulas", "def f(name):\n    return importlib.import_module(name)"),
        ("__init__", "def f():\n    from paperback.formulas import formula"),
        ("__init__", "def __getattr__(name):\n    import json"),
    ],
)
def test_hidden_imports_are_found(place: str, source: str) -> None:
    assert len(hidden(source, ("paperback", *place.split(".")))) == 1


def test_long_and_silent_files_are_found() -> None:
    assert too_long("x = 1\n" * 401, ("paperback", "formulas")) and not too_long("x\n" * 400, ("paperback", "formulas"))
    assert undocumented("x = 1", ("paperback", "formulas")) and not undocumented('"""x"""', ("paperback", "formulas"))


def loaded_by(statement: str) -> set[str]:
    """The names of all top-level modules in a fresh interpreter after one statement."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in ran.stdout.split()}


def test_the_import_is_light() -> None:
    before, after = loaded_by("pass"), loaded_by("import paperback")
    assert "paperback" in after - before
    assert not after.intersection(HEAVY) - before


def test_the_probe_sees_what_is_loaded() -> None:
    assert "click" in loaded_by("import click")


def test_no_public_name_is_hidden_by_a_module() -> None:
    """Importing `paperback.x` binds the module to `paperback.x`: a function of that name would be gone."""
    checked = 0
    for home in PACKAGES:
        package = import_module(home)
        for name in getattr(package, "__all__", ()):
            place = SOURCE.joinpath(*home.split("."))
            module = (place / f"{name}.py").exists() or (place / name).is_dir()
            assert not module or type(getattr(package, name)).__name__ == "module", f"{home}.{name}"
            checked += 1
    assert checked > 100


def test_what_packages_offer_later_is_what_they_say() -> None:
    """Every name has a home, and stands where types are checked."""
    checked = 0
    for home in PACKAGES:
        package = import_module(home)
        tree = ast.parse(SOURCE.joinpath(*home.split("."), "__init__.py").read_text(encoding="utf-8"))
        if "offer" not in vars(package):
            continue
        typed = {
            alias.name
            for top in tree.body
            if isinstance(top, ast.If)
            for node in top.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        eager = {name for name in package.__all__ if name in vars(package)}
        assert typed - {"*"} <= set(dir(package)), home
        assert {*package.__all__} <= typed | eager or "*" in typed, home
        assert all(getattr(package, name) is not None for name in dir(package)), home
        with pytest.raises(AttributeError, match=f"{home} has no Unheard"):
            package.Unheard  # noqa: B018
        checked += 1
    assert checked >= 8


def test_the_parts_of_the_compiled_engine_import_one_way() -> None:
    """machine < ir, functions < lowering < code < what runs them."""
    order = ["machine", "ir", "functions", "lowering", "code", "runner"]
    home = SOURCE / "paperback" / "engines" / "llvm"
    seen = 0
    for path in sorted(home.rglob("*.py")):
        place = parts_of(path)
        part = place[3] if place[3] in order else "runner"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in imported(node, place):
                if name[:3] == ("paperback", "engines", "llvm") and len(name) > 3:
                    other = name[3] if name[3] in order else "runner"
                    seen += 1
                    assert order.index(other) <= order.index(part), f"{'.'.join(place)} imports {'.'.join(name)}"
    assert seen > 100
