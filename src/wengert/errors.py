"""Every exception that Wengert raises on purpose.

Each message says what happened, where in the *user's* code, and what to write instead. Raise them through
`fail`, which adds the user's line.
"""

from __future__ import annotations

import contextlib
import functools
import linecache
import os
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

import numpy as np

# Files of Wengert, and of NumPy, through which calls come back here (np.take calls x.take …).
_PACKAGES = tuple(os.path.dirname(os.path.abspath(f)) + os.sep for f in (__file__, np.__file__))
# Code of Python's and NumPy's own; <stdin>, <doctest …> and <string> are the user's.
_NO_USERS_FILE = ("<frozen ", "<__array_function__ ")


class WengertError(Exception):
    """Base class of all errors that Wengert raises on purpose."""


class LeakedValueError(WengertError, RuntimeError):
    """A traced value was used after the derivative computation that made it had ended."""


class InputTypeError(WengertError, TypeError):
    """An argument has a type or dtype that cannot be differentiated (an integer, a string …)."""


class OutputError(WengertError, TypeError):
    """A function returned something that the requested derivative is not defined for."""


class ContainerMismatchError(WengertError, TypeError):
    """Two containers that must have the same structure (or leaf shapes) do not."""


class ConcretizationError(WengertError, TypeError):
    """A traced value was asked for a plain number or a plain ndarray, which would lose its derivative."""


class UnsupportedOperationError(WengertError, TypeError):
    """An operation has no rule for what was asked of it."""


class ImpureFunctionError(WengertError, RuntimeError):
    """A function that has to be run twice gave two different results."""


class NonFiniteError(WengertError, FloatingPointError):
    """A value or derivative became NaN or infinite while `detect_nonfinite` was on."""


class GradientCheckError(WengertError, AssertionError):
    """A derivative disagrees with its numerical estimate."""


@functools.cache
def _is_users_file(file: str) -> bool:
    try:
        file_path = os.path.abspath(file)
    except OSError:  # the current directory is gone
        file_path = file
    return not file_path.startswith(_PACKAGES) and not file.startswith(_NO_USERS_FILE)


class _Replayed(threading.local):
    """The location of the recorded operation that is being repeated in this thread."""

    location: tuple[str, int, str] | None = None


replayed = _Replayed()


@contextlib.contextmanager
def located(location: tuple[str, int, str] | None) -> Iterator[None]:
    """Attribute to this line what happens in the block: it repeats an operation that was recorded there."""
    before, replayed.location = replayed.location, location or replayed.location
    try:
        yield
    finally:
        replayed.location = before


def user_location(depth: int = 1) -> tuple[str, int, str] | None:
    """Return (file, line, source) of the innermost frame outside Wengert, or None if there is none.

    While a recorded operation is repeated, it is where that was recorded.
    """
    if replayed.location is not None:
        return replayed.location
    frame = sys._getframe(depth)
    while frame is not None:
        file = frame.f_code.co_filename
        if _is_users_file(file):
            return file, frame.f_lineno, linecache.getline(file, frame.f_lineno).strip()
        frame = frame.f_back
    return None


def describe_location(location: tuple[str, int, str] | None) -> str:
    """Format a result of `user_location` as the two lines that end an error message."""
    if location is None:
        return ""
    file, line, source = location
    return f'\n  at "{file}", line {line}' + (f"\n    {source}" if source else "")


def fail(kind: type[WengertError], message: str) -> NoReturn:
    """Raise `kind` with `message` and the line of the user's code that led here."""
    raise kind(message + describe_location(user_location(2)))
