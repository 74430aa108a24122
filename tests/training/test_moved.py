from __future__ import annotations

from typing import Any

import pytest

from stbench.errors import Failed
from stbench.training.moved import check_moved, fingerprints


def model(*names: str) -> Any:
    import torch
    from torch import nn

    made = nn.Module()
    for name in names:
        made.register_parameter(name, nn.Parameter(torch.zeros(3)))
    return made


def move(made: Any, name: str) -> None:
    getattr(made, name).data += 1


def test_weights_that_did_not_move_fail() -> None:
    made = model("weight", "frozen")
    made.frozen.requires_grad_(False)
    before = fingerprints(made)
    assert before.keys() == {"weight"}
    move(made, "frozen")
    with pytest.raises(Failed, match=r"no weight has moved in 7 steps.*training\.warmup=0"):
        check_moved(made, before, 7)
    move(made, "weight")
    check_moved(made, before, 7)


def test_an_adapter_that_stood_still_fails_though_the_head_moved() -> None:
    made = model("lora_A", "lora_B", "head")
    before = fingerprints(made)
    move(made, "head")
    with pytest.raises(Failed, match="no weight of the adapter"):
        check_moved(made, before, 7)
    move(made, "lora_B")
    check_moved(made, before, 7)
