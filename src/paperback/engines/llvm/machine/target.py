"""The machine that code is generated for: its name, its instruction set, and what a schedule must know of it.

A `Target` is plain data. Three are offered by name, and `PAPERBACK_TARGET` chooses among them:

    native     the CPU at hand, with all that it has
    avx2       x86-64-v3: 32-byte vectors, 16 registers, fused multiply-add (x86 only)
    generic    the baseline of the architecture: SSE2 on x86-64, NEON on AArch64

A limited target is the same on every machine, so its results have the same bits on every machine.

This is the only place that imports llvmlite, and it does so on first use: `binding()`.
"""

from __future__ import annotations

__all__ = ["NAMES", "Target", "binding", "chosen", "limited", "llvm_version", "native"]

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paperback.errors import EngineError

NAMES = ("native", "avx2", "generic")

_X86 = ("x86_64", "amd64")
_ARM = ("aarch64", "arm64")
_AVX512 = ("avx512f", "avx512bw", "avx512dq", "avx512vl")  # what a server CPU with AVX-512 has, at least


@dataclass(frozen=True)
class Target:
    """What code is generated for.

    cpu, features, triple   in LLVM's words
    vector_bytes            the widest vector: 64, 32 or 16
    registers               how many such vectors the machine holds: 32 or 16
    fma                     whether a fused multiply-add is one instruction
    """

    cpu: str
    features: str
    triple: str
    vector_bytes: int
    registers: int
    fma: bool

    @property
    def architecture(self) -> str:
        """ "x86" or "arm"."""
        return _architecture(self.triple)

    @property
    def key(self) -> str:
        """All that generated code depends on, as text for the key of a cache."""
        return f"{self.triple} {self.cpu} {self.features} {self.vector_bytes} {self.registers} {self.fma}"

    @property
    def attributes(self) -> str:
        """The attributes to put on every function, as LLVM IR writes them.

        They make LLVM keep vectors of the full width in one register: without them it halves 64-byte vectors on many
        CPUs.
        """
        bits = 8 * self.vector_bytes
        return f'nounwind "prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}"'

    @property
    def masks(self) -> bool:
        """Can lanes be left out of a load or a store at no cost, as in AVX-512?"""
        return self.vector_bytes == 64

    def lanes(self, dtype: str) -> int:
        """How many values of a type ("float32" or "float64") one vector holds."""
        return self.vector_bytes // {"float32": 4, "float64": 8}[dtype]

    def machine(self, plain: bool = False) -> Any:
        """A new `TargetMachine` of llvmlite; each thread that generates code needs its own.

        plain   code is generated quickly, and not well. Not on AArch64, where LLVM has another code generator for that.
        """
        llvm = binding()
        try:
            family = llvm.Target.from_triple(self.triple)
            # Position-independent code of the small model: constants are read in place, not through an address in a
            # register, and the linker of the JIT checks that everything is in reach.
            return family.create_target_machine(
                cpu=self.cpu, features=self.features, opt=0 if plain and self.architecture == "x86" else 2,
                reloc="pic", codemodel="small",
            )  # fmt: skip
        except RuntimeError as error:
            raise EngineError(f"LLVM has no code generator for {self.triple}: {error}") from error


@functools.cache
def binding() -> Any:
    """The module `llvmlite.binding`, ready to generate code for this machine. Raises EngineError if it is missing."""
    try:
        import llvmlite.binding as llvm
    except (ImportError, OSError) as error:
        raise EngineError(
            f"the compiled engine needs llvmlite, which cannot be imported ({error}); "
            f'install it with "pip install llvmlite", or choose engine="numpy"'
        ) from error
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@functools.cache
def llvm_version() -> str:
    """LLVM's version and llvmlite's, as one word for the key of a cache."""
    import llvmlite

    return ".".join(map(str, binding().llvm_version_info)) + "-" + str(llvmlite.__version__)


@functools.cache
def native() -> Target:
    """The machine at hand. Raises EngineError on an architecture that the engine does not know."""
    llvm = binding()
    triple = llvm.get_process_triple()
    features = llvm.get_host_cpu_features()
    return _describe(triple, llvm.get_host_cpu_name(), features)


@functools.cache
def limited(name: str) -> Target:
    """A target by name: "avx2" or "generic" ("native" is `native()`).

    Raises EngineError for another name, and where this machine cannot run the target's code.
    """
    if name == "native":
        return native()
    if name not in NAMES:
        raise EngineError(f"there is no target {name!r}; the targets are {', '.join(NAMES)}")
    llvm = binding()
    triple = llvm.get_process_triple()
    arch = _architecture(triple)
    if name == "generic":
        if arch == "arm":
            return Target("generic", "", triple, 16, 32, True)
        return Target("x86-64", "", triple, 16, 16, False)
    host = llvm.get_host_cpu_features()
    missing = [feature for feature in ("avx2", "fma", "bmi2") if not host.get(feature)]
    if arch != "x86" or missing:
        what = f"lacks {', '.join(missing)}" if arch == "x86" else f"is {triple}"
        raise EngineError(
            f'the target "avx2" needs an x86-64 CPU with avx2, fma and bmi2, and this one {what}; '
            f'choose "native" or "generic" (PAPERBACK_TARGET)'
        )
    return Target("x86-64-v3", "", triple, 32, 16, True)


def chosen() -> Target:
    """The target that the environment variable PAPERBACK_TARGET names, `native` where it is not set."""
    name = os.environ.get("PAPERBACK_TARGET") or "native"
    if name not in NAMES:
        raise EngineError(f"PAPERBACK_TARGET={name} names no target; the targets are {', '.join(NAMES)}")
    return limited(name)


def _architecture(triple: str) -> str:
    """ "x86" or "arm"; raises EngineError for anything else."""
    family = triple.split("-", 1)[0].lower()
    for name, members in (("x86", _X86), ("arm", _ARM)):
        if family in members:
            return name
    raise EngineError(
        f'the compiled engine knows x86-64 and AArch64, and this process is {triple}; choose engine="numpy"'
    )


def _describe(triple: str, cpu: str, features: Mapping[str, bool]) -> Target:
    """A target from LLVM's description of a CPU."""
    flags = ",".join(("+" if on else "-") + name for name, on in sorted(features.items()))
    if _architecture(triple) == "arm":
        return Target(cpu, flags, triple, 16, 32, True)
    fma = bool(features.get("fma"))
    if all(features.get(name) for name in _AVX512):
        return Target(cpu, flags, triple, 64, 32, fma)
    return Target(cpu, flags, triple, 32 if features.get("avx") else 16, 16, fma)
