from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stbench.models.precision import computing_in


class Model(nn.Module):
    device = torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 3)

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        self.seen = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        return {**features, "found": self.inner(features["given"])}


FEATURES: dict[str, Tensor] = {"given": torch.ones(2, 4), "ids": torch.ones(2, dtype=torch.int64)}


@pytest.mark.parametrize(("precision", "type_"), [("fp32", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_forward_runs_in_the_type_of_the_precision_and_gives_fp32(precision: Any, type_: Any) -> None:
    model = Model()
    with computing_in(precision, model):
        found = model.forward(FEATURES)
        assert not torch.is_autocast_enabled("cpu")
    assert model.seen is type_
    assert (found["found"].dtype, found["ids"].dtype) == (torch.float32, torch.int64)
    assert "forward" not in vars(model)


def test_a_forward_of_the_instance_comes_back_even_after_an_error() -> None:
    model = Model()
    own = vars(model)["forward"] = model.forward
    with pytest.raises(KeyError), computing_in("bf16", model):
        model.forward({})
    assert vars(model)["forward"] is own


def test_what_stands_for_a_model_passes_it_on() -> None:
    class Standing:
        def __init__(self, model: Model) -> None:
            self._model = model

        def __getattr__(self, name: str) -> Any:
            return getattr(self._model, name)

    model = Model()
    with computing_in("bf16", Standing(model)):
        model.forward(FEATURES)
    assert model.seen is torch.bfloat16
