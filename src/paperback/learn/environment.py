"""Where a run happens, in words: versions, processor, threads, time. What a record says of it.

A module of its own: what tells the versions of packages takes long to load, and training needs none of it.
"""

from __future__ import annotations

__all__ = ["environment"]

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
_PACKAGES = ("llvmlite", "mpmath", "safetensors", "click", "pillow")


def environment() -> dict[str, str]:
    """Where this runs, in words: name -> text."""
    set_ = [f"{name}={os.environ[name]}" for name in _THREADS if name in os.environ]
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "paperback": str(sys.modules["paperback"].__version__),
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "NumPy": f"{np.__version__}, {blas.get('name', 'BLAS unknown')} {blas.get('version', '')}".strip(),
        "packages": ", ".join(_installed()),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processor": f"{_processor()}, {os.cpu_count() or 1} threads of hardware",
        "BLAS threads": ", ".join(set_) or "as many as the BLAS takes",
        "time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _installed() -> Iterator[str]:
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield f"{name} {metadata.version(name)}"


def _processor() -> str:
    """The name of the processor; Linux tells it in a file, others by `platform`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()
