"""The tiny models, for the tests of this folder."""

from tiny_models import tiny

__all__ = ["tiny"]
