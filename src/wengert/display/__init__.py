"""Seeing a computation: `trace` shows its Wengert list, `detect_nonfinite` where it first goes wrong."""

from wengert.display.trace import trace
from wengert.display.wengert_list import Step, WengertList
from wengert.transforms.inspect import detect_nonfinite

__all__ = ["Step", "WengertList", "detect_nonfinite", "trace"]
