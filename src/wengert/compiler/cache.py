"""Machine code on disk, so that a program is compiled once for each computer and not once for each process.

A file of the cache holds the machine code of one program, and is named after its **key**: a digest of everything that
the machine code depends on, which is the program, the source code of the compiler, the version of LLVM, and the
processor. Addresses are not in it: machine code refers to arrays and library functions by name.

::

    "wengert 1", newline | SHA-256 of the rest | key | length of the notes | notes (JSON) | machine code

A file is read in one go and used only if it belongs to the user, nobody else may write to it, and the digest and the
key are right. It is written under another name first and then renamed, so that nobody sees a part of it. When the
folder has grown too large, the files that were not read for the longest time are removed. Whatever goes wrong with a
file (no permission, a full disk, another process that removes it) is as if it were not there: a call never fails
because of the cache. Where the folder is, and how it is switched off, is said in `wengert.config`.

Start reading with `lookup` and `store`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import numpy as np
import scipy

from wengert import config
from wengert.compiler.native import NativeModule, compile_module, host, load_object
from wengert.compiler.vector_math import library_symbols
from wengert.core.primitive import Primitive
from wengert.core.program import Program

_MAGIC = b"wengert 1\n"
_HEAD = len(_MAGIC) + 32 + 32 + 4
_SUFFIX = ".code"
_UNFINISHED = ".part"
_STALE_SECONDS = 3600.0  # after which an unfinished file is taken to have been left behind
_LARGEST_NOTES = 1 << 20
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class Saved(NamedTuple):
    """What the cache keeps of a compiled program."""

    object_code: bytes
    stored: tuple[int, ...] = ()  # `Executable.stored`


# Keys ----------------------------------------------------------------------------------------------------------------


class _NotPortable(Exception):
    """A program refers to something that only this process knows."""


def program_key(program: Program) -> str | None:
    """Key of a simplified program; None if the cache is off, or the program means something in this process only."""
    if config.cache_directory is None:
        return None
    try:
        return _key("program", program.digest(_portable_text))
    except _NotPortable:
        return None


def _portable_text(x: Any) -> str:
    if isinstance(x, Primitive):
        # To the compiler all primitives that it does not know are the same: NumPy, or whoever it is, is called.
        return x.name if x.is_own else f"foreign {type(x).__qualname__} {x.multiple}"
    kind = type(x)
    if kind.__module__.startswith("wengert.") and not hasattr(x, "level"):
        return kind.__qualname__  # the rule of a custom derivative, for example: nothing that machine code is made from
    raise _NotPortable


def _key(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in (*_surroundings(), *parts):
        digest.update(f"{len(part)} {part}".encode())
    return digest.hexdigest()


@functools.cache
def _surroundings() -> tuple[str, ...]:
    """What all machine code of this process depends on."""
    versions = llvmlite.__version__, np.__version__, scipy.__version__  # of ufuncs, whose inner loops are called
    return (_source_digest(), *versions, host().key, " ".join(sorted(library_symbols())))


@functools.cache
def _source_digest() -> str:
    """Digest of the source code (the version included) that turns programs into machine code."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    try:
        files = [root / "__init__.py"]
        for folder in ("core", "rules", "transforms", "compiler"):
            files.extend(sorted(p for p in (root / folder).rglob("*") if p.suffix in (".py", ".ll")))
        for path in files:
            digest.update(path.read_bytes())
    except OSError:  # not in a folder: every process is a version of its own
        digest.update(os.urandom(32))
    return digest.hexdigest()


# Reading and writing -------------------------------------------------------------------------------------------------


def lookup(key: str | None) -> Saved | None:
    """Return what is saved under a key; None if there is nothing, or nothing that can be trusted."""
    directory = config.cache_directory
    if key is None or directory is None:
        return None
    path = directory / f"{key}{_SUFFIX}"
    try:
        with open(path, "rb", opener=_open) as file:
            status = os.fstat(file.fileno())
            if not _is_own(status) or status.st_size > config.cache_bytes:
                return None
            saved = _unpack(file.read(), key)
    except (OSError, ValueError):  # ValueError: a path with a null character
        return None
    with contextlib.suppress(OSError):
        if saved is None:
            path.unlink()  # make room for a right one
        else:
            os.utime(path)
    return saved


def store(key: str | None, saved: Saved) -> None:
    """Save machine code under a key, if possible."""
    directory = config.cache_directory
    if key is None or directory is None:
        return
    content = _pack(saved, key)
    if len(content) > config.cache_bytes:
        return
    temporary = directory / f"{key}.{os.getpid()}.{os.urandom(4).hex()}{_UNFINISHED}"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(temporary, _NEW_FILE, 0o600), "wb") as file:
                file.write(content)
            temporary.replace(directory / f"{key}{_SUFFIX}")
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _size.grow(directory, len(content))
    except (OSError, ValueError):
        pass


def _open(path: str, flags: int) -> int:
    """Open a file, without waiting for a writer if it is a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _is_own(status: os.stat_result) -> bool:
    """Whether a file is a regular one that only this user can have written."""
    if not stat.S_ISREG(status.st_mode):
        return False
    return os.name != "posix" or (status.st_uid == os.geteuid() and not status.st_mode & 0o022)


def _pack(saved: Saved, key: str) -> bytes:
    notes = json.dumps({"stored": saved.stored}).encode()
    rest = bytes.fromhex(key) + len(notes).to_bytes(4, "little") + notes + saved.object_code
    return _MAGIC + hashlib.sha256(rest).digest() + rest


def _unpack(content: bytes, key: str) -> Saved | None:
    start = len(_MAGIC)
    if len(content) < _HEAD or not content.startswith(_MAGIC):
        return None
    rest = content[start + 32 :]
    if hashlib.sha256(rest).digest() != content[start : start + 32] or rest[:32] != bytes.fromhex(key):
        return None
    length = int.from_bytes(rest[32:36], "little")
    if length > min(_LARGEST_NOTES, len(rest) - 36):
        return None
    try:
        stored = json.loads(rest[36 : 36 + length])["stored"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(stored, list) or not all(type(n) is int and n >= 0 for n in stored):
        return None
    return Saved(rest[36 + length :], tuple(stored))


class _Size:
    """How large the folder is: counted now and then, and estimated in between."""

    def __init__(self) -> None:
        self.directory: Path | None = None
        self.total = 0
        self.writes = 0

    def grow(self, directory: Path, size: int) -> None:
        """Take a new file into account, and remove old ones if there is too much."""
        self.total += size
        self.writes += 1
        # Other processes write as well, so the estimate goes stale.
        if directory != self.directory or self.total > config.cache_bytes or self.writes % 64 == 0:
            self.directory = directory
            self.total = trim(directory, config.cache_bytes)


_size = _Size()


def trim(directory: Path, limit: int) -> int:
    """Remove the files that were not used for the longest time; return the size of those that stay.

    Nothing is removed while all together have at most `limit` bytes; otherwise they have 80% of that afterwards, so
    that this is not soon needed again.
    """
    files: list[tuple[float, int, str]] = []
    old = time.time() - _STALE_SECONDS
    with os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if entry.name.endswith(_UNFINISHED) and status.st_mtime < old:
                    os.unlink(entry.path)
                elif entry.name.endswith(_SUFFIX):
                    files.append((status.st_mtime, status.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    if total <= limit:
        return total
    for _, size, path in sorted(files):
        if total <= 0.8 * limit:
            break
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        total -= size
    return total


# Text ----------------------------------------------------------------------------------------------------------------


def compile_cached(text: str, functions: Iterable[str], symbols: Mapping[str, int]) -> NativeModule:
    """Do what `compile_module` does with the text of a module that has no addresses in it, or find its code here."""
    functions = tuple(functions)
    key = None if config.cache_directory is None else _key("text", text, *functions)
    found = lookup(key)
    if found is not None:
        with contextlib.suppress(RuntimeError):
            return load_object(found.object_code, functions, symbols)
    native = compile_module(text, functions, symbols)
    store(key, Saved(native.object_code))
    return native
