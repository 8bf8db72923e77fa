"""Targets: what LLVM emits for them uses their vectors and no wider ones; llvmlite is imported on use alone."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from paperback.engines.llvm.machine import target
from paperback.errors import EngineError

SOURCE = Path(__file__).parents[3] / "src"
X86 = platform.machine().lower() in ("x86_64", "amd64")
ARM = "aarch64-unknown-linux-gnu"
INTEL = "x86_64-unknown-linux-gnu"
FULL = dict.fromkeys("avx avx2 fma avx512f avx512bw avx512dq avx512vl".split(), True)


def available() -> list[target.Target]:
    found = [target.native(), target.limited("generic")]
    with contextlib.suppress(EngineError):
        found.append(target.limited("avx2"))
    return found


def assembly(which: target.Target, lanes: int) -> str:
    """A multiply-add over vectors of float32, as assembly."""
    vector = f"<{lanes} x float>"
    text = f"""
    declare {vector} @llvm.fmuladd.v{lanes}f32({vector}, {vector}, {vector})
    define void @f(ptr %p) {which.attributes} {{
      %x = load {vector}, ptr %p, align 4
      %y = call {vector} @llvm.fmuladd.v{lanes}f32({vector} %x, {vector} %x, {vector} %x)
      store {vector} %y, ptr %p, align 4
      ret void
    }}"""
    module = target.binding().parse_assembly(text)
    return str(which.machine().emit_assembly(module))


@pytest.mark.skipif(not X86, reason="reads x86 assembly")
def test_the_assembly_uses_the_vectors_of_the_target() -> None:
    names = {64: "zmm", 32: "ymm", 16: "xmm"}
    for which in available():
        text = assembly(which, 16)
        registers = set(re.findall(r"%([xyz]mm)\d", text))
        assert registers == {names[which.vector_bytes]}, (which, text)
        assert ("vfmadd" in text) == which.fma
        assert len(re.findall(r"\bv?(?:movups|movupd)\b", text)) >= 2 * 64 // which.vector_bytes


def test_what_a_cpu_offers_decides() -> None:
    cases = [
        (INTEL, FULL, (64, 32, True)),
        (INTEL, {**FULL, "avx512bw": False}, (32, 16, True)),
        (INTEL, {"avx": True, "avx2": True, "fma": True}, (32, 16, True)),
        (INTEL, {"avx": True}, (32, 16, False)),
        (INTEL, {"sse2": True}, (16, 16, False)),
        (ARM, {"neon": True}, (16, 32, True)),
        ("arm64-apple-darwin24", {"neon": True}, (16, 32, True)),
    ]
    for triple, features, expected in cases:
        found = target._describe(triple, "some", features)
        assert (found.vector_bytes, found.registers, found.fma) == expected, (triple, features)


def test_an_architecture_nobody_knows_is_refused() -> None:
    with pytest.raises(EngineError, match=r'knows x86-64 and AArch64, and this process is riscv64.*engine="numpy"'):
        target._describe("riscv64-unknown-linux-gnu", "some", {})


def test_features_are_part_of_the_key() -> None:
    keys = {
        target._describe(triple, cpu, features).key
        for triple in (INTEL, "x86_64-apple-darwin24")
        for cpu in ("one", "two")
        for features in (FULL, {**FULL, "f16c": True}, {**FULL, "f16c": False})
    }
    assert len(keys) == 12


def test_lanes() -> None:
    wide = target._describe(INTEL, "some", FULL)
    assert (wide.lanes("float32"), wide.lanes("float64")) == (16, 8)


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAPERBACK_TARGET", raising=False)
    assert target.chosen() == target.native()
    monkeypatch.setenv("PAPERBACK_TARGET", "generic")
    assert target.chosen() == target.limited("generic") != target.native()
    monkeypatch.setenv("PAPERBACK_TARGET", "sse9")
    with pytest.raises(EngineError, match="PAPERBACK_TARGET=sse9 names no target; the targets are native, avx2, gen"):
        target.chosen()
    with pytest.raises(EngineError, match="there is no target 'sse9'; the targets are native, avx2, generic"):
        target.limited("sse9")


def test_a_target_beyond_the_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target.binding(), "get_host_cpu_features", lambda: {"avx2": True, "fma": False})
    monkeypatch.setattr(target.binding(), "get_process_triple", lambda: INTEL)
    with pytest.raises(EngineError, match=r'"avx2" needs .*, and this one lacks fma, bmi2; choose "native" or "gen'):
        target.limited.__wrapped__("avx2")
    monkeypatch.setattr(target.binding(), "get_process_triple", lambda: ARM)
    with pytest.raises(EngineError, match=r'"avx2" needs .*, and this one is aarch64'):
        target.limited.__wrapped__("avx2")
    assert target.limited.__wrapped__("generic").registers == 32


def test_without_llvmlite_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "llvmlite"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    with pytest.raises(EngineError, match=r'needs llvmlite.*pip install llvmlite.*engine="numpy"'):
        target.binding.__wrapped__()


@pytest.mark.parametrize("module", ["", ".engines", ".engines.llvm.machine.target", ".engines.llvm.machine.pool"])
def test_llvmlite_is_not_imported_before_it_is_used(module: str) -> None:
    code = f"import sys, paperback{module}\nprint('llvmlite' in sys.modules, 'paperback{module}' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]
