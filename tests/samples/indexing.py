"""Samples of the indexing primitives."""

from __future__ import annotations

from .sample import Sample

SAMPLES: list[Sample] = []
