"""Where rows come from: a look at the head for the plan, and the whole as a `datasets.Dataset` for the run.

Whatever the source, its splits end as files on disk (the user's own, or a product of the store), which `head` and
`load` read.
"""

from __future__ import annotations

from stbench.data.sources.loading import load
from stbench.data.sources.opening import open_source
from stbench.data.sources.reading import head
from stbench.data.sources.source import SPLITS, Head, Note, Source

__all__ = ["SPLITS", "Head", "Note", "Source", "head", "load", "open_source"]
