"""Containers of arrays (dicts, lists, tuples, namedtuples, dataclasses …) as flat lists of leaves, by optree.

None is an empty container, as in JAX. A dataclass is registered when it is met for the first time; any other class
through `register_container`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import optree

from wengert.errors import ContainerMismatchError, fail

_NAMESPACE = "wengert"
_dataclasses: set[type] = set()
_known_leaves: set[type] = set()  # leaf types that have been looked at and are no dataclasses


def register_container(
    cls: type,
    flatten: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten: Callable[[Any, Iterable[Any]], Any],
) -> type:
    """Let `cls` be a container of arrays in all of Wengert's functions.

    Parameters
    ----------
    cls : type
        The class to register.
    flatten : callable
        ``flatten(obj)`` returns (children, auxiliary data); the auxiliary data must be hashable or None.
    unflatten : callable
        ``unflatten(auxiliary data, children)`` builds the object again.

    Returns
    -------
    type
        `cls`, so that the call can be chained.

    Examples
    --------
    >>> class Interval:
    ...     def __init__(self, low, high):
    ...         self.low, self.high = low, high
    >>> _ = register_container(Interval, lambda i: ((i.low, i.high), None), lambda _, c: Interval(*c))
    >>> from wengert import grad
    >>> grad(lambda i: i.low * i.high)(Interval(2.0, 5.0)).low
    np.float64(5.0)
    """
    optree.register_pytree_node(
        cls,
        lambda obj: (*flatten(obj), None),  # type: ignore[arg-type]
        unflatten,  # type: ignore[arg-type]
        namespace=_NAMESPACE,
    )
    return cls


def _register_dataclass(cls: type) -> None:
    fields = [f.name for f in dataclasses.fields(cls)]

    def flatten(obj: Any) -> tuple[list[Any], None, list[str]]:
        return [getattr(obj, name) for name in fields], None, fields

    def unflatten(_: Any, children: Iterable[Any]) -> Any:
        obj = object.__new__(cls)
        for name, child in zip(fields, children, strict=True):
            object.__setattr__(obj, name, child)
        return obj

    optree.register_pytree_node(cls, flatten, unflatten, namespace=_NAMESPACE)  # type: ignore[arg-type]
    _dataclasses.add(cls)


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """Return the leaves of a container and its structure."""
    leaves, structure = optree.tree_flatten(tree, namespace=_NAMESPACE)
    types = {type(x) for x in leaves} - _known_leaves
    if not types:
        return leaves, structure
    found = {t for t in types if dataclasses.is_dataclass(t)} - _dataclasses
    _known_leaves.update(types - found)
    if not found:
        return leaves, structure
    for cls in found:
        _register_dataclass(cls)
    return flatten(tree)


def unflatten(structure: Any, leaves: Iterable[Any]) -> Any:
    """Build a container again."""
    return optree.tree_unflatten(structure, leaves)


def map_leaves(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply a function to corresponding leaves of containers of the same structure."""
    leaves, structure = flatten(tree)
    columns = [leaves_like(structure, other, "the containers") for other in others]
    return unflatten(structure, [function(*row) for row in zip(leaves, *columns, strict=True)])


def leaves_like(structure: Any, tree: Any, what: str) -> list[Any]:
    """Return the leaves of `tree`, which must have the given structure."""
    leaves, own = flatten(tree)
    if own != structure:
        fail(ContainerMismatchError, f"{what} must have the same structure; expected {structure}, got {own}.")
    return leaves


def leaf_paths(tree: Any) -> list[str]:
    """Name each leaf as Python would reach it, for error messages: "['w'][0]"."""
    flatten(tree)  # registers dataclasses
    accessors = optree.tree_accessors(tree, namespace=_NAMESPACE)
    return [a.codify("") for a in accessors]
