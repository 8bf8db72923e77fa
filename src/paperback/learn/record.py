"""The record of a run: what was asked for, what happened, and where. It lies in the file of the trained model.

    job             the command, the data and the settings, as JSON
    history         what training did, epoch by epoch
    environment     versions, processor, threads, time

A record is text from a file that nobody vouches for: everything in it is checked when it is read, and a page that shows
it escapes it.
"""

from __future__ import annotations

__all__ = ["Record", "environment"]

import contextlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from paperback.errors import ModelError
from paperback.learn.history import History

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
_PACKAGES = ("llvmlite", "mpmath", "safetensors", "click", "pillow")
_FIELDS = {"job", "history", "environment"}


@dataclass(frozen=True)
class Record:
    """See the module. `job` and `environment` hold what JSON can."""

    job: Mapping[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    environment: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        parts = {"job": dict(self.job), "history": self.history.to_dict(), "environment": dict(self.environment)}
        return json.dumps(parts, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Record:
        """What `to_json` wrote; ModelError for anything else."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise ModelError("the record of the run is no JSON") from None
        if not isinstance(data, dict) or set(data) != _FIELDS:
            raise ModelError(f"the record of the run needs {', '.join(sorted(_FIELDS))}, and nothing else")
        job, where = data["job"], data["environment"]
        if not isinstance(job, dict):
            raise ModelError("the record's job needs settings by name, found something else")
        if not isinstance(where, dict) or not all(isinstance(value, str) for value in where.values()):
            raise ModelError("the record's environment needs texts by name, found something else")
        return Record(job, History.from_dict(data["history"]), where)


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
