"""`Array`, the mutable handle that user functions see; start reading in `handle`."""

from wengert.array.arithmetic import assign_all
from wengert.array.handle import (
    Array,
    closed,
    contains_array,
    contains_traced,
    from_sequence,
    unwrap,
    wrap,
    wrap_array,
    wrap_owned,
)
from wengert.array.holder import plain_bool, watched_writes
from wengert.array.keys import normalise_key
from wengert.array.protocols import LAZY, NUMPY_FUNCTIONS, any_traced, call_numpy_function, call_ufunc
from wengert.array.views import (
    layout_of,
    take_broadcast,
    take_reshape,
    take_strided,
    take_transpose,
    take_view,
)

__all__ = [
    "LAZY",
    "NUMPY_FUNCTIONS",
    "Array",
    "any_traced",
    "assign_all",
    "call_numpy_function",
    "call_ufunc",
    "closed",
    "contains_array",
    "contains_traced",
    "from_sequence",
    "layout_of",
    "normalise_key",
    "plain_bool",
    "take_broadcast",
    "take_reshape",
    "take_strided",
    "take_transpose",
    "take_view",
    "unwrap",
    "watched_writes",
    "wrap",
    "wrap_array",
    "wrap_owned",
]
