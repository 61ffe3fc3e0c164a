"""Where a solver is, shown on one line of stderr."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

try:
    from tqdm import tqdm
except ImportError:  # optional: it redraws its line in notebooks, too
    tqdm = None


class Progress:
    """One line that is redrawn at each step; a context manager, which leaves the last state standing.

    Parameters
    ----------
    title : str
        What is running.
    stream : file, optional
        Where to write; stderr by default.
    interval : float
        Seconds between two redrawings.
    """

    def __init__(self, title: str, stream: TextIO | None = None, interval: float = 0.1) -> None:
        self.title = title
        self.stream = sys.stderr if stream is None else stream
        self.interval = interval
        self.line = ""
        self._drawn_at = -float("inf")
        self._bar = None
        if tqdm is not None and stream is None:
            self._bar = tqdm(bar_format="{desc} [{elapsed}]", mininterval=interval)

    def show(self, count: int, value: Any) -> None:
        """Say that step `count` has reached `value`."""
        self.line = f"{self.title}: {count}, {value:.6g}"
        now = time.monotonic()
        if now - self._drawn_at >= self.interval:
            self._drawn_at = now
            self._draw()

    def _draw(self) -> None:
        if self._bar is not None:
            self._bar.set_description_str(self.line)
        else:
            print(f"\r\x1b[K{self.line}", end="", file=self.stream, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.line:
            self._draw()
        if self._bar is not None:
            self._bar.close()
        elif self.line:
            print(file=self.stream, flush=True)
