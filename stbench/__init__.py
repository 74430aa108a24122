"""One sentence of declared choices trains an embedding model or a reranker and ends in a verdict."""

__version__ = "0.1.0"
