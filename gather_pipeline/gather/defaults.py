"""The default embedder under its former name."""

from __future__ import annotations

from gather_pipeline.defaults import GROUP, default_embedder

__all__ = ["GROUP", "default_embedder"]
