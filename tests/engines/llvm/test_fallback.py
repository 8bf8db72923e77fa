"""Without llvmlite everything runs on NumPy, and one line says so; formulas and imports never ask for it.

Each test is a process of its own, in which llvmlite cannot be imported, or counts as not imported yet.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "src"

MODEL = """
import warnings
import numpy as np
import paperback as pb
from paperback import engines
from paperback.errors import EngineError
net = pb.nn.Sequential(pb.nn.Dense(5), pb.nn.ReLU(), pb.nn.Dense(3))
x, y = np.random.default_rng(0).standard_normal((20, 4)).astype("float32"), np.arange(20) % 3

def trained(**settings):
    model = pb.Model(net, (4,), seed=1, **settings)
    model.fit(x, y, epochs=2, batch_size=7)
    return model.predict(x), model.evaluate(x, y)["loss"]
"""


def ask(code: str, folder: Path, missing: bool = True, **environment: str) -> tuple[list[str], str]:
    """The lines that a process prints, and what it writes to standard error."""
    stub = folder / "stub"
    (stub / "llvmlite").mkdir(parents=True, exist_ok=True)
    (stub / "llvmlite" / "__init__.py").write_text("raise ImportError('no llvmlite on this machine')\n")
    path = [str(stub)] if missing else []
    own = {"PYTHONPATH": os.pathsep.join([*path, str(SOURCE)]), "PAPERBACK_CACHE": str(folder / "cache"), **environment}
    ran = subprocess.run(
        [sys.executable, "-c", MODEL + code], env={**os.environ, **own}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines(), ran.stderr


SAYS = (
    "RuntimeWarning: models run on NumPy, which is slower: the compiled engine needs llvmlite, which cannot be "
    'imported (no llvmlite on this machine); install it with "pip install llvmlite", or choose engine="numpy"'
)


def test_models_run_on_numpy_and_one_line_says_so(tmp_path: Path) -> None:
    code = """
first, second = trained(), trained()
slow = trained(engine="numpy")
print(all(np.array_equal(a[0], slow[0]) and a[1] == slow[1] for a in (first, second)))
"""
    out, err = ask(code, tmp_path)
    assert out == ["True"]
    assert [line for line in err.splitlines() if "Warning" in line and SAYS in line] and err.count("Warning") == 1


def test_the_compiled_engine_by_name_is_an_error_with_the_fix(tmp_path: Path) -> None:
    code = """
for make in (lambda: trained(engine="llvm"), lambda: pb.use(engine="llvm") or trained(),
             lambda: engines.run(pb.formula("y[i] = x[i]").block, {"x": np.ones(3)}, {}, "llvm")):
    try:
        make()
    except EngineError as error:
        print(error)
"""
    out, err = ask(code, tmp_path)
    assert out == [SAYS.removeprefix("RuntimeWarning: models run on NumPy, which is slower: ")] * 3
    assert "Warning" not in err


def test_numpy_by_name_needs_no_llvmlite_and_says_nothing(tmp_path: Path) -> None:
    code = """
warnings.simplefilter("error")
a = trained(engine="numpy")
pb.use(engine="numpy")
b = trained()
print(np.array_equal(a[0], b[0]))
"""
    assert ask(code, tmp_path) == (["True"], "")


def test_an_unknown_machine_runs_on_numpy(tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    code = """
import llvmlite.binding as llvm
llvm.get_process_triple = lambda: "riscv64-unknown-linux-gnu"
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    first, second = trained(), trained(engine="numpy")
print(len(said), np.array_equal(first[0], second[0]))
print(said[0].message)
try:
    trained(engine="llvm")
except EngineError as error:
    print(error)
"""
    out, _ = ask(code, tmp_path, missing=False)
    reason = (
        "the compiled engine knows x86-64 and AArch64, and this process is riscv64-unknown-linux-gnu; "
        'choose engine="numpy"'
    )
    assert out == ["1 True", f"models run on NumPy, which is slower: {reason}", reason]


def test_a_wrong_target_is_said(tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    code = """
try:
    trained(engine="llvm")
except EngineError as error:
    print(error)
"""
    out, _ = ask(code, tmp_path, missing=False, PAPERBACK_TARGET="avx1024")
    assert out == ["PAPERBACK_TARGET=avx1024 names no target; the targets are native, avx2, generic"]


def test_imports_and_formulas_do_not_import_llvmlite(tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    code = """
import sys
def loaded():
    return any(name.split(".")[0] == "llvmlite" for name in sys.modules)
print(loaded())
f = pb.formula("y[i] = sum(p) x[i+p]*w[p]", x="H")
f(x=np.ones(5), w=np.ones(2))
f.gradients({"x": np.ones(5), "w": np.ones(2)}, np.ones(4))
print(f.vjp("w"), f.latex() != "", loaded())
trained(engine="numpy")
print(loaded())
trained(engine="llvm")
print(loaded())
"""
    out, _ = ask(code, tmp_path, missing=False)
    assert [line.split()[-1] for line in out] == ["False", "False", "False", "True"]
