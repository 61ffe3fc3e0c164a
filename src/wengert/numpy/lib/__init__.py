"""Counterpart of `numpy.lib`: of it only `stride_tricks` has something to differentiate."""

from wengert.numpy.lib import stride_tricks

__all__ = ["stride_tricks"]
