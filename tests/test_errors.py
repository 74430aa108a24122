from __future__ import annotations

import pytest

from stbench.errors import in_words


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("no more"),
        RuntimeError("CUDA out of memory. Tried to allocate"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried"),
    ],
)
def test_memory_that_runs_out_comes_with_what_to_lower_first(error: Exception) -> None:
    assert "loss.arguments.mini_batch_size first" in in_words(error)


def test_other_errors_are_told_by_name_and_first_line() -> None:
    assert in_words(ValueError("wrong\nmore")) == "ValueError: wrong"
