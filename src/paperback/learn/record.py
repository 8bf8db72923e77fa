"""The record of a run: what was asked for, what happened, and where. It lies in the file of the trained model.

    job             the command, the data and the settings, as JSON
    history         what training did, epoch by epoch
    environment     versions, processor, threads, time

A record is text from a file that nobody vouches for: everything in it is checked when it is read, and a page that shows
it escapes it.
"""

from __future__ import annotations

__all__ = ["Record"]

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paperback.errors import ModelError
from paperback.learn.history import History

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
