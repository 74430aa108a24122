"""Places to run in. Each process pays ten seconds for its imports: runs are shared, independent ones go side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from end_to_end.places import Place
from tiny_models import Tiny, tiny

__all__ = ["tiny"]


@pytest.fixture(scope="session")
def new_place(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Place]:
    root = tmp_path_factory.mktemp("places")
    return lambda name: Place(root / name)


@pytest.fixture(scope="session")
def background() -> Iterator[Callable[..., Future[Any]]]:
    """`background(function, …)`: its result later, several at a time."""
    pool = ThreadPoolExecutor(max_workers=4)
    yield pool.submit
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def tiny_words(tiny: Tiny) -> Callable[..., list[str]]:
    """The words for a tiny base model."""
    return lambda kind: ["base_model=path", f"base_model.path={getattr(tiny, kind)}"]
