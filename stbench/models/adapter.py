"""LoRA adapters: small trained matrices beside frozen weights (Hu et al. 2021, arXiv:2106.09685), as peft makes them.

QLoRA (Dettmers et al. 2023, arXiv:2305.14314) keeps the frozen weights of the layers in 4 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench.errors import Failed
from stbench.models.base import Base, layer_of
from stbench.models.blueprint import AdapterChoice, Blueprint

if TYPE_CHECKING:
    from sentence_transformers.base.model import BaseModel
    from torch import nn

NAME = "default"
_NO_LINEAR = ("embed", "bias")
"""Parts of the names of two-dimensional weights that belong to no linear layer."""
_HEADS = ("classifier", "score", "classification_head", "pooler", "pre_classifier", "head")


def is_target(module: str, adapter: AdapterChoice) -> bool:
    """Whether a linear module gets an adapter: those inside the layers, all of them or those that are named."""
    if layer_of(module) is None:
        return False
    return adapter.targets is None or any(module == name or module.endswith(f".{name}") for name in adapter.targets)


def linear_names(base: Base) -> list[str]:
    """What `adapter.targets` can name: the last parts of the names of linear modules in the layers."""
    return sorted({module.rsplit(".", 1)[-1] for module, _ in _linears(base)})


def _linears(base: Base) -> Iterator[tuple[str, tuple[int, ...]]]:
    for tensor, shape in base.tensors.items():
        module, _, last = tensor.rpartition(".")
        in_layer = last == "weight" and len(shape) == 2 and layer_of(tensor) is not None
        if in_layer and not any(word in module.rsplit(".", 1)[-1] for word in _NO_LINEAR):
            yield module, shape


def trainable_parameters(blueprint: Blueprint) -> int:
    """Parameters that are trained, about: all of them, or those of the adapter and of what is new on top.

    0 where the base model's files do not tell.
    """
    adapter, base = blueprint.adapter, blueprint.base
    if adapter is None or not base.tensors:
        return blueprint.parameters
    inside = sum(
        adapter.rank * sum(shape) + (shape[0] if adapter.dora else 0)
        for module, shape in _linears(base)
        if is_target(module, adapter) and blueprint.keeps(module)
    )
    return inside + _on_top(blueprint)


def weight_bytes(blueprint: Blueprint) -> int:
    """What the weights take in memory: 4 bytes each, or half a byte and its scale where they are frozen in 4 bits."""
    if blueprint.adapter is None or blueprint.adapter.bits is None:
        return 4 * blueprint.parameters
    small = sum(prod(shape) for module, shape in _linears(blueprint.base) if blueprint.keeps(module))
    return int(4 * (blueprint.parameters - small) + 0.57 * small)


def _on_top(blueprint: Blueprint) -> int:
    base, width = blueprint.base, blueprint.base.dimensions
    if blueprint.type == "cross_encoder":
        own = sum(prod(shape) for name, shape in base.tensors.items() if layer_of(name) is None and _is_head(name))
        return own if base.trained_head else own + width * blueprint.num_labels
    if blueprint.type == "multi_vector_encoder":
        return width * blueprint.dimensions
    if blueprint.type == "sparse_encoder":
        return 4 * blueprint.width**2 + 5 * blueprint.width if blueprint.architecture == "csr" else 0
    return blueprint.width * (blueprint.projection or 0)


def _is_head(tensor: str) -> bool:
    return any(part in _HEADS for part in tensor.split("."))


def quantization(device: str) -> dict[str, Any]:
    """Arguments that load the linear modules of the layers in 4 bits; everything else stays as it is."""
    import torch
    from transformers import BitsAndBytesConfig

    outside = r"(?!(?:.*\.)?(?:layers?|h|blocks?)\.\d+\.).*"
    config = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32, llm_int8_skip_modules=[outside],
    )  # fmt: skip
    return {"quantization_config": config, "device_map": {"": device}}


def add_adapter(model: BaseModel, blueprint: Blueprint, adapter: AdapterChoice) -> None:
    """Freeze the transformer of `model` and put an adapter beside it; untrained heads and modules on top stay trained.

    Raises `Failed` when much more or less is trained than the plan said.
    """
    from peft import LoraConfig

    transformer, base = model.transformers_model, blueprint.base
    keep_as_stored(transformer)
    whole, lent = _heads(transformer, base)
    targets = [name for name, module in transformer.named_modules() if _is_linear(module) and is_target(name, adapter)]
    model.add_adapter(
        LoraConfig(
            r=adapter.rank, lora_alpha=adapter.alpha, lora_dropout=adapter.dropout, target_modules=[*targets, *lent],
            modules_to_save=whole or None, use_dora=adapter.dora, use_rslora=adapter.rslora, revision=base.revision,
        )
    )  # fmt: skip
    if base.local:
        transformer.peft_config[NAME].base_model_name_or_path = str(Path(base.location).resolve())
    # Without it the gradient ends at the frozen embeddings where activations are computed twice.
    transformer.enable_input_require_grads()
    _check(model, blueprint)


def keep_as_stored(model: nn.Module) -> None:
    """On some CPUs bitsandbytes repacks 4-bit weights at their first evaluation: it rounds their scales in place, so that what
    was measured would not be what is trained and merged, and fails for layers narrower than its blocks."""
    module: Any
    for module in model.modules():
        if _in_four_bits(module):
            module.support_avx512bf16_for_cpu = False


def _heads(transformer: Any, base: Base) -> tuple[list[str], list[str]]:
    """(modules of the task's head that are trained as a whole, linear ones that get an adapter themselves)."""
    kind, prefix = type(transformer).__name__, transformer.base_model_prefix
    if kind.endswith("ForSequenceClassification"):
        heads = [name for name, child in transformer.named_children() if name != prefix and list(child.parameters())]
        pooler = f"{prefix}.pooler"
        return [*heads, *(name for name, _ in transformer.named_modules() if name == pooler)], []
    if not kind.endswith("ForMaskedLM"):
        return [], []
    # The output embeddings are those of the input, and stay.
    found = {
        name: module
        for name, module in transformer.named_modules()
        if name.split(".")[0] != prefix and module is not transformer.get_output_embeddings() and _has_weights(module)
    }
    if base.mlm_head:
        return [], [name for name, module in found.items() if _is_linear(module)]
    return list(found), []


def _has_weights(module: nn.Module) -> bool:
    return not list(module.children()) and any(True for _ in module.parameters(recurse=False))


def _is_linear(module: nn.Module) -> bool:
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, (nn.Linear, Conv1D))


def trained_parameters(model: BaseModel) -> tuple[int, int]:
    """(parameters that are trained, all parameters) of a model that is built."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes)


def _check(model: BaseModel, blueprint: Blueprint) -> None:
    planned, (found, _) = trainable_parameters(blueprint), trained_parameters(model)
    if planned and not planned / 2 <= found <= 2 * planned:
        raise Failed(f"{found:,} parameters are trained, where the plan said {planned:,}")


def merge_adapter(model: BaseModel) -> None:
    """Add the adapter to the weights it stands beside: afterwards this is a plain model in fp32, without peft."""
    from peft.tuners.lora import LoraLayer
    from peft.utils import ModulesToSaveWrapper

    transformer: Any = model.transformers_model
    for name, module in list(transformer.named_modules()):
        if isinstance(module, LoraLayer):
            transformer.set_submodule(name, _merged(module))
        elif isinstance(module, ModulesToSaveWrapper):
            transformer.set_submodule(name, module.modules_to_save[NAME])
    transformer._hf_peft_config_loaded = False
    del transformer.peft_config
    if getattr(transformer, "hf_quantizer", None) is not None:
        for name, module in list(transformer.named_modules()):
            if _in_four_bits(module):
                transformer.set_submodule(name, _whole(module))
        transformer.hf_quantizer.remove_quantization_config(transformer)
    transformer.requires_grad_(True)


def _merged(module: Any) -> nn.Module:
    import torch

    base: nn.Module = module.get_base_layer()
    if not _in_four_bits(base):
        module.merge(safe_merge=True)
        return base
    whole = _whole(base)
    with torch.no_grad():
        whole.weight += module.get_delta_weight(NAME)
    return whole


def _in_four_bits(module: nn.Module) -> bool:
    import torch
    from torch import nn

    return isinstance(module, nn.Linear) and module.weight.dtype == torch.uint8


def _whole(module: Any) -> nn.Linear:
    """A linear layer of 4 bits as one of 32."""
    from peft.utils.integrations import dequantize_module_weight
    from torch import nn

    weight = dequantize_module_weight(module).detach().float()
    plain = nn.Linear(module.in_features, module.out_features, bias=module.bias is not None, device=weight.device)
    plain.weight = nn.Parameter(weight)
    plain.bias = module.bias
    return plain
