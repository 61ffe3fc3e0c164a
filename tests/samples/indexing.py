"""Samples of reading and writing by index: basic, integer arrays, mixed, duplicates, broadcasting, empty."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.rules.indexing import ARRAY, index, index_add, index_update, last_writers, make_key

from .sample import Sample

_rng = np.random.default_rng(2)
_X = _rng.normal(size=(3, 4, 5))
_Z = _X[0] + 1j * _X[1]
_ALL = slice(None)

_I, _J = np.array([2, 0, -1]), np.array([1, 3, 0])
_DUPLICATES = np.array([1, 2, 1, 1])
_COLUMN = np.array([[0], [2]])

# (x, spec, index arrays, note)
_KEYS: list[tuple[Any, tuple[Any, ...], tuple[Any, ...], str]] = [
    (_X, (1,), (), "int"),
    (_X, (-1, 2, 3), (), "element"),
    (_X, (slice(None, None, -1), slice(1, 3)), (), "slices"),
    (_X, (Ellipsis, None, 2), (), "ellipsis, newaxis"),
    (_X, (None, 0, Ellipsis, slice(None, None, 2)), (), "mixed basic"),
    (_X, (slice(2, 2),), (), "empty slice"),
    (_X, (), (), "nothing"),
    (_X, (Ellipsis,), (), "all"),
    (np.array(2.5), (), (), "0-d"),
    (np.array(2.5), (None,), (), "0-d, newaxis"),
    (_X, (ARRAY,), (_I,), "array"),
    (_X, (ARRAY,), (_DUPLICATES,), "duplicates"),
    (_X, (ARRAY,), (np.array([], np.intp),), "empty array"),
    (_X, (_ALL, ARRAY), (_COLUMN,), "2-d array"),
    (_X, (ARRAY, ARRAY), (_I, _J), "two arrays"),
    (_X, (ARRAY, ARRAY), (_COLUMN, _J), "broadcast arrays"),
    (_X, (ARRAY, ARRAY, ARRAY), (_DUPLICATES, _DUPLICATES, _DUPLICATES), "duplicates"),
    (_X, (_ALL, ARRAY, ARRAY), (_I, _J), "adjacent"),
    (_X, (ARRAY, _ALL, ARRAY), (_I, _J), "separated"),
    (_X, (ARRAY, _ALL, ARRAY), (_DUPLICATES, _DUPLICATES), "separated duplicates"),
    (_X, (ARRAY, None, ARRAY), (_I, _J), "newaxis between"),
    (_X, (0, _ALL, ARRAY), (_I,), "int and array"),
    (_X, (_ALL, 1, ARRAY), (_DUPLICATES,), "int next to array"),
    (_X, (Ellipsis, ARRAY), (_I,), "ellipsis, array"),
    (_X, (None, slice(1, None), ARRAY, Ellipsis), (_COLUMN,), "newaxis, slice, array"),
    (_X.transpose(2, 0, 1), (ARRAY, slice(1, 3)), (_I,), "strided"),
    (_Z, (ARRAY,), (_DUPLICATES,), "complex"),
    (_X.astype(np.float32), (slice(1, 3),), (), "float32"),
    (_X.astype(np.float32), (ARRAY,), (_DUPLICATES,), "float32"),
]


def _written(x: Any, v: Any, *arrays: Any, spec: tuple[Any, ...], donate: bool) -> Any:
    x = x.copy()
    x[make_key(spec, arrays)] = v
    return x


def _added(x: Any, v: Any, *arrays: Any, spec: tuple[Any, ...], donate: bool) -> Any:
    x = x.copy()
    np.add.at(x, make_key(spec, arrays), v)
    return x


def _write(x: Any, spec: tuple[Any, ...], arrays: tuple[Any, ...], note: str) -> list[Sample]:
    selected = np.asarray(x[make_key(spec, arrays)])
    values = {"": np.cos(np.arange(selected.size)).reshape(selected.shape).astype(x.dtype)}
    values["scalar"] = x.dtype.type(0.7)
    if selected.ndim > 1:
        values["broadcast"] = values[""][-1:] if selected.shape[0] else values[""]
        values["lower rank"] = np.cos(np.arange(selected.shape[-1])).astype(x.dtype)
    if selected.ndim:
        values["extra axis"] = values[""][None]
    params = {"spec": spec, "donate": False}
    samples = []
    for kind, v in values.items():
        full = f"{note} {kind}".strip()
        samples.append(Sample(index_update, (x, v, *arrays), params, note=full, numpy_function=_written))
        if kind != "extra axis":  # which += does not accept
            samples.append(Sample(index_add, (x, v, *arrays), params, note=full, numpy_function=_added))
    return samples


SAMPLES: list[Sample] = [
    *(Sample(index, (x, *arrays), {"spec": spec}, note=note) for x, spec, arrays, note in _KEYS),
    Sample(index, (_X,), {"spec": (1,), "copy": True}, note="copy"),
    *(s for x, spec, arrays, note in _KEYS for s in _write(x, spec, arrays, note)),
    Sample(
        index_update,
        (_X, _X[0, 0], _I),
        {"spec": (ARRAY,), "donate": False},
        wrt=(1,),
        note="value only",
        numpy_function=_written,
    ),
    Sample(
        index_update,
        (_Z, _X[0, 0]),
        {"spec": (0,), "donate": False},
        note="real into complex",
        numpy_function=_written,
    ),
    Sample(
        index_update,
        (_X.astype(np.float32), _X[0, 0]),
        {"spec": (0, 1), "donate": False},
        note="float64 into float32",
        numpy_function=_written,
        rtol=1e-4,
    ),
    *(
        Sample(last_writers, arrays, {"shape": x.shape, "spec": spec}, note=note)
        for x, spec, arrays, note in _KEYS
        if arrays
    ),
]
