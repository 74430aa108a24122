"""Tiny models for tests that train."""

from __future__ import annotations

from tiny_models import tiny

__all__ = ["tiny"]
