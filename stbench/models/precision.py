"""Models that compute in half precision for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stbench.plan.hardware import Mode


@contextmanager
def computing_in(precision: Mode, model: Any) -> Iterator[None]:
    """The forward passes of `model` run under autocast, as the trainer runs them; whatever follows them does not.

    Embeddings and scores come out as fp32: among similarities in bf16 many are equal, and sparse matrices have no product.
    """
    if precision == "fp32":
        yield
        return
    import torch
    from accelerate.utils import convert_outputs_to_fp32

    type_ = torch.bfloat16 if precision == "bf16" else torch.float16
    plain = model.forward
    # What is given may only stand for a model, such as one that keeps its embeddings.
    own = vars(plain.__self__)
    before = own.get("forward")
    own["forward"] = convert_outputs_to_fp32(torch.autocast(model.device.type, dtype=type_)(plain))
    try:
        yield
    finally:
        del own["forward"]
        if before is not None:
            own["forward"] = before
