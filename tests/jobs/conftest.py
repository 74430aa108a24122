from tiny_models import tiny

__all__ = ["tiny"]
