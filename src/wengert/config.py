"""Settings of this process.

Read and set them as attributes: ``wengert.config.threads = 1``. A wrong value raises at once. What an environment
variable says is looked up when a setting is first needed.

Attributes
----------
threads : int
    How many threads a compiled program may use for a large loop; a change takes effect at the next call. Matrix
    products are done by BLAS, whose threads are set by its own means (``OPENBLAS_NUM_THREADS``, for example). Default:
    ``WENGERT_NUM_THREADS``, or the number of processor cores that this process may run on.
cache_directory : Path or None
    Where `jit` keeps machine code, so that later processes need not compile again; None switches that off. Default:
    ``WENGERT_CACHE``, if it is a path; None, if it is ``0`` or ``off``; else the folder ``wengert`` in the user's cache
    directory (``$XDG_CACHE_HOME`` or ``~/.cache``; ``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%`` on Windows).
    The folder can be deleted at any time.
cache_bytes : int
    Size that the folder is kept below, by removing what was not used for the longest time. Default:
    ``WENGERT_CACHE_BYTES``, or 256 MiB.
array_api : bool
    Whether integers and truth values that are computed from an Array are Arrays, too, as the array API standard wants
    it (code that is written for it refuses a mixture), and not plain ndarrays, which are faster; and whether what
    reductions return can be assigned to, like other arrays. Default: whether ``SCIPY_ARRAY_API`` is set, which makes
    SciPy's functions use the standard.

Examples
--------
>>> import wengert
>>> wengert.config.threads = 2
>>> wengert.config.threads
2
>>> wengert.config.threads = 0
Traceback (most recent call last):
    ...
ValueError: threads must be a whole number of at least 1, not 0
>>> del wengert.config.threads  # back to the default
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

threads: int
cache_directory: Path | None
cache_bytes: int
array_api: bool

_DEFAULT_CACHE_BYTES = 256 * 2**20
_threads = ctypes.c_int32()


def _whole_number(value: Any, name: str) -> int:
    """Check a number given in Python or in the environment."""
    try:
        number = int(value) if isinstance(value, str) else value.__index__()
    except (AttributeError, ValueError):
        number = 0
    if number < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    return number


def _usable_cores() -> int:
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _default_threads() -> int:
    text = os.environ.get("WENGERT_NUM_THREADS", "").strip()
    return _whole_number(text, "WENGERT_NUM_THREADS") if text else _usable_cores()


def _user_cache() -> Path | None:
    """The directory in which programs keep what they can do without; None for a user without a home."""
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    given = os.environ.get(variable, "")
    if os.path.isabs(given) and sys.platform != "darwin":
        return Path(given)
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        return home / "AppData" / "Local"
    return home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"


def _default_cache_directory() -> Path | None:
    text = os.environ.get("WENGERT_CACHE", "").strip()
    if text.lower() in ("0", "off", "no", "false"):
        return None
    if text.lower() not in ("", "1", "on", "yes", "true"):
        return Path(text).expanduser().absolute()
    base = _user_cache()
    return None if base is None else base / "wengert"


def _default_cache_bytes() -> int:
    text = os.environ.get("WENGERT_CACHE_BYTES", "").strip()
    return _whole_number(text, "WENGERT_CACHE_BYTES") if text else _DEFAULT_CACHE_BYTES


def _path(value: Any, name: str) -> Path | None:
    if value is None:
        return None
    try:
        return Path(value).expanduser().absolute()
    except TypeError:
        raise ValueError(f"{name} must be a path or None, not {value!r}") from None


def _default_array_api() -> bool:
    return bool(os.environ.get("SCIPY_ARRAY_API"))  # whatever it says, like SciPy


def _truth_value(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, not {value!r}")
    return value


_SETTINGS = {
    "threads": (_default_threads, _whole_number),
    "cache_directory": (_default_cache_directory, _path),
    "cache_bytes": (_default_cache_bytes, _whole_number),
    "array_api": (_default_array_api, _truth_value),
}


class _Settings(ModuleType):
    """The class of this module: it checks what is assigned."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _SETTINGS:
            value = _SETTINGS[name][1](value, name)
        elif not name.startswith("__"):
            raise AttributeError(f"there is no setting {name!r}; there are {', '.join(_SETTINGS)}")
        super().__setattr__(name, value)
        if name == "threads":
            _threads.value = min(value, 2**31 - 1)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name == "threads":
            threads_address()


def __getattr__(name: str) -> Any:
    """Find the default of a setting when it is first needed."""
    if name not in _SETTINGS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = _SETTINGS[name][0]()
    setattr(sys.modules[__name__], name, value)
    return value


def threads_address() -> int:
    """Where compiled code finds the number of threads, an int32: a change takes effect at the next call."""
    _threads.value = min(sys.modules[__name__].threads, 2**31 - 1)
    return ctypes.addressof(_threads)


sys.modules[__name__].__class__ = _Settings
