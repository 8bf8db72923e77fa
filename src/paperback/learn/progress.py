"""The live line of training: epoch, loss, accuracy, images per second, time left. Silent when nobody is watching.

The line is written over itself at most ten times a second, and left standing at the end of every epoch.
"""

from __future__ import annotations

__all__ = ["Progress", "Quiet", "line_for", "progress_for"]

import sys
import time
from typing import Protocol, TextIO

from paperback.learn.history import Epoch

_PAUSE = 0.1  # seconds between two writings


class Watcher(Protocol):
    """What `fit` tells while it works."""

    def step(self, epoch: int, epochs: int, seen: int, total: int, loss: float, accuracy: float | None) -> None: ...
    def epoch(self, record: Epoch, epochs: int) -> None: ...
    def close(self) -> None: ...


class Quiet:
    """Says nothing."""

    def step(self, epoch: int, epochs: int, seen: int, total: int, loss: float, accuracy: float | None) -> None:
        pass

    def epoch(self, record: Epoch, epochs: int) -> None:
        pass

    def close(self) -> None:
        pass


class Progress:
    """One line on a terminal. `epoch` counts from 1 to `epochs` within one `fit`."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._start = time.monotonic()
        self._last = 0.0
        self._width = 0
        self._done = 0  # whole epochs

    def step(self, epoch: int, epochs: int, seen: int, total: int, loss: float, accuracy: float | None) -> None:
        now = time.monotonic()
        if now - self._last < _PAUSE:
            return
        self._last = now
        elapsed = max(now - self._start, 1e-9)
        share = (self._done + seen / total) / epochs
        speed = (self._done * total + seen) / elapsed
        left = elapsed * (1 - share) / share if share else None
        self._write(line_for(epoch, epochs, loss, accuracy, speed, left))

    def epoch(self, record: Epoch, epochs: int) -> None:
        self._done += 1
        text = line_for(self._done, epochs, record.loss, record.accuracy, record.images_per_second, None)
        if record.val_loss is not None:
            text += f"  held out: loss {record.val_loss:.4f}"
            text += f"  accuracy {record.val_accuracy:.2%}" if record.val_accuracy is not None else ""
        self._write(text)
        self._end()

    def close(self) -> None:
        if self._width:
            self._end()

    def _write(self, text: str) -> None:
        self.stream.write("\r" + text.ljust(self._width))
        self.stream.flush()
        self._width = len(text)

    def _end(self) -> None:
        self.stream.write("\n")
        self.stream.flush()
        self._width = 0


def line_for(
    epoch: int, epochs: int, loss: float, accuracy: float | None, speed: float, left: float | None
) -> str:
    """The line as text; `left` in seconds."""
    parts = [f"epoch {epoch:{len(str(epochs))}d}/{epochs}", f"loss {loss:.4f}"]
    if accuracy is not None:
        parts.append(f"accuracy {accuracy:.2%}")
    parts.append(f"{speed:,.0f} images/s")
    if left is not None:
        minutes, seconds = divmod(round(left), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    return "  ".join(parts)


def progress_for(wanted: bool | None) -> Watcher:
    """True: the live line on standard error; False: nothing; None: the line where standard error is a terminal."""
    show = sys.stderr.isatty() if wanted is None else wanted
    return Progress(sys.stderr) if show else Quiet()
