"""What a base model is, read from its files before any weight is loaded."""

from __future__ import annotations

import importlib.util
import json
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any, Literal

from stbench.config.sentence import ModelType
from stbench.config.suggest import closest
from stbench.errors import Problem, Refused
from stbench.hub import kept, reachable
from stbench.models.prompts import Prompts, from_config

Architecture = Literal["static", "encoder", "decoder"]

_HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+$")
_DECODERS = frozenset(
    (
        "llama", "mistral", "qwen2", "qwen3", "qwen3_5", "gemma", "gemma2", "gemma3", "gemma3_text", "gpt2", "gpt_neo",
        "gpt_neox", "phi", "phi3", "opt", "falcon", "olmo", "olmo2",
    )
)  # fmt: skip
_MLM_HEADS = ("cls.predictions.transform", "lm_head.dense", "vocab_transform", "head.dense", "generator_lm_head")
_SMALL_FILES = ("config.json", "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")
_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")
_SAVED_AS: dict[str, ModelType] = {
    "SentenceTransformer": "sentence_transformer", "CrossEncoder": "cross_encoder", "SparseEncoder": "sparse_encoder",
    "MultiVectorEncoder": "multi_vector_encoder", "ColBERT": "multi_vector_encoder",
}  # fmt: skip
"""How the library (and PyLate before it) names the model types in config_sentence_transformers.json."""


@dataclass(frozen=True)
class Base:
    """A base model as its files describe it."""

    name: str
    location: str
    """Folder, or Hub id."""
    local: bool
    revision: str | None
    architecture: Architecture
    modules: tuple[str, ...]
    """Class names of the modules of a sentence-transformers folder; empty for a plain transformer."""
    parameters: int
    dimensions: int
    vocabulary: int
    stored: str
    """Type in which the weights are stored: F32, F16, BF16 …"""
    max_tokens: int | None
    """Tokens it is set to read."""
    positions: int | None
    """Tokens it could read at most: its position embeddings."""
    mlm_head: bool
    """Whether a masked-LM head lies in the weights (not only in the class name)."""
    trained_head: bool
    """Whether a classification head lies in the weights (cross-encoders start from it)."""
    layers: int
    attention_heads: int
    static: Literal["wordllama", "model2vec", "random", "distilled"] | None = None
    """Where static embeddings come from that are no sentence-transformers folder."""
    source: Base | None = None
    """The model whose tokenizer random embeddings take, or of which others are distilled."""
    type: ModelType | None = None
    """The model type it was saved as; None for a plain transformer."""
    projected: int | None = None
    """Size of its vectors where a dense module follows the transformer."""
    prompts: Prompts = field(default_factory=Prompts)
    """Those that its folder brings."""
    family: Prompts = field(default_factory=Prompts)
    """Those that its family was trained with, where its folder brings none."""
    tensors: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)
    """Shape of each tensor by its name; empty where no header could be read."""

    def modules_for(self, type_: ModelType) -> tuple[str, ...]:
        """Modules that are taken over as they are; a model saved as another type gives its transformer alone."""
        return self.modules if self.type == type_ else ()

    def is_sparse(self, architecture: str) -> bool:
        """Whether it was saved as a sparse encoder of this architecture, "splade" or "csr"."""
        return self.type == "sparse_encoder" and ("SparseAutoEncoder" in self.modules) == (architecture == "csr")

    @property
    def projects_tokens(self) -> bool:
        """Whether a multi-vector encoder finds a trained projection in it."""
        return self.type == "multi_vector_encoder" or "Dense" in self.modules

    @property
    def wordllama(self) -> bool:
        return self.static == "wordllama"

    @property
    def wordllama_weights(self) -> Path:
        return Path(self.location) / "weights" / "l2_supercat_256.safetensors"

    @property
    def wordllama_tokenizer(self) -> Path:
        return Path(self.location) / "tokenizers" / "l2_supercat_tokenizer_config.json"


def layer_of(name: str) -> int | None:
    """The transformer layer that a tensor or module belongs to; None for embeddings and heads."""
    found = _LAYER.search(name)
    return int(found[1]) if found else None


def locate(name: str, package: str | None, path: str | None, hub: str | None, revision: str | None) -> Base:
    """The first of package, folder and Hub that is there.

    Raises `Refused` when none is.
    """
    folder = _package_folder(package) if package else None
    if package == "wordllama" and folder is not None:
        return _wordllama(name, folder)
    if folder is None and path is not None:
        folder = _folder(path)
        hub = hub or (None if folder else path)
    if folder is not None:
        return _from_folder(name, folder)
    if hub is not None:
        return _from_hub(name, hub, revision)
    raise Refused(
        Problem(
            f"the package '{package}' is not installed",
            f"base_model={name}",
            f"pip install {(package or '').replace('_', '-')}",
        )
    )


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    return folder / "model" if (folder / "model").is_dir() else folder


def _folder(path: str) -> Path | None:
    folder = Path(path).expanduser()
    if (folder / "adapter_config.json").is_file():
        raise Refused(_adapter_alone(folder, path))
    if (folder / "config.json").is_file() or (folder / "modules.json").is_file():
        return folder
    if folder.is_dir():
        inside = sorted(item.parent.name for item in folder.glob("*/config.json"))
        hint = (
            f"did you mean {path.rstrip('/')}/{inside[0]}?"
            if inside
            else "a model folder holds config.json or modules.json"
        )
        raise Refused(Problem("this folder holds no model", f"base_model.path={path}", hint))
    siblings = [item.name for item in folder.parent.iterdir() if item.is_dir()] if folder.parent.is_dir() else []
    match = closest(folder.name, siblings)
    # owner/name is a Hub id, unless a folder `owner` lies here with something in it that is called much the same.
    if _HUB_ID.match(path) and not path.startswith(".") and match is None:
        return None
    hint = f"did you mean {folder.parent / match}?" if match else "give a folder, or a Hub id such as owner/name"
    raise Refused(Problem("there is no such folder", f"base_model.path={path}", hint))


def _adapter_alone(folder: Path, path: str) -> Problem:
    merged = folder.parent / "model"
    beside = merged if (merged / "modules.json").is_file() else None
    found = _json(folder / "adapter_config.json").get("base_model_name_or_path")
    mend = (
        f"base_model={beside}, the model with the adapter merged into it" if beside else f"base_model={found}, its base"
    )
    return Problem("this folder holds an adapter and no whole model", f"base_model.path={path}", mend)


def _wordllama(name: str, folder: Path) -> Base:
    tensors = tensor_shapes(folder / "weights" / "l2_supercat_256.safetensors")
    (stored, (rows, columns)), *_ = tensors.values()
    return Base(
        name=name, location=str(folder), local=True, revision=None, architecture="static", modules=("StaticEmbedding",),
        parameters=rows * columns, dimensions=columns, vocabulary=rows, stored=stored, max_tokens=None, positions=None, mlm_head=False,
        trained_head=False, layers=0, attention_heads=0, static="wordllama", type="sentence_transformer",
    )  # fmt: skip


def _from_folder(name: str, folder: Path) -> Base:
    # Older sentence-transformers folders keep the transformer, and its config.json, in 0_Transformer.
    inner = next(iter(sorted(folder.glob("0_*"))), folder)
    files = {file: _json(folder / file) or _json(inner / file) for file in _SMALL_FILES}
    files["dense"] = [_json(folder / place / "config.json") for place in _dense_modules(files["modules.json"])]
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("0_*/*.safetensors"))
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
    for file in weights:
        tensors.update(tensor_shapes(file))
    return _described(name, str(folder), True, None, files, tensors)


def _from_hub(name: str, repo: str, revision: str | None) -> Base:
    if reachable():
        return _downloaded(name, repo, revision)
    folder = kept(repo, revision, "model")
    if folder is None or not any(file for kind in ("safetensors", "bin") for file in folder.rglob(f"*.{kind}")):
        raise Refused(_unreachable(name, repo))
    return replace(_from_folder(name, folder), location=repo, local=False, revision=revision)


def _downloaded(name: str, repo: str, revision: str | None) -> Base:
    from huggingface_hub import get_safetensors_metadata, hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        NotASafetensorsRepoError,
    )

    def read(file: str) -> Any:
        try:
            return _json(Path(hf_hub_download(repo, file, revision=revision)))
        except LocalEntryNotFoundError:
            raise Refused(_unreachable(name, repo)) from None
        except EntryNotFoundError:
            return None
        except (HfHubHTTPError, OSError) as error:
            raise Refused(_unreachable(name, repo, str(error).splitlines()[0])) from None

    files = {file: read(file) for file in _SMALL_FILES}
    files["dense"] = [read(f"{place}/config.json") for place in _dense_modules(files["modules.json"])]
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
    try:
        metadata = get_safetensors_metadata(repo, revision=revision)
        for part in metadata.files_metadata.values():
            tensors.update({key: (item.dtype, tuple(item.shape)) for key, item in part.tensors.items()})
    except (NotASafetensorsRepoError, HfHubHTTPError, OSError):
        pass  # older repositories hold no safetensors; sizes are then unknown until the weights are loaded
    return _described(name, repo, False, revision, files, tensors)


def _dense_modules(modules: Sequence[Mapping[str, Any]] | None) -> list[str]:
    return [item["path"] for item in modules or [] if str(item["type"]).endswith(".Dense")]


def _unreachable(
    name: str, repo: str, cause: str = "it is not in the local cache and the Hub cannot be reached"
) -> Problem:
    return Problem(
        f"the model {repo} cannot be had: {cause}",
        f"base_model={name}",
        "base_model=path base_model.path=FOLDER for weights on disk, or base_model=wordllama, which needs no network",
    )


def _described(
    name: str,
    location: str,
    local: bool,
    revision: str | None,
    files: Mapping[str, Any],
    tensors: Mapping[str, tuple[str, tuple[int, ...]]],
) -> Base:
    config: dict[str, Any] = files["config.json"] or {}
    modules = tuple(str(item["type"]).rsplit(".", 1)[-1] for item in files["modules.json"] or [])
    model2vec = config.get("model_type") == "model2vec" and not modules
    if model2vec:
        modules = ("StaticEmbedding", "Normalize") if config.get("normalize") else ("StaticEmbedding",)
    sizes = [shape for _, shape in tensors.values()]
    embeddings = max((shape for shape in sizes if len(shape) == 2), key=lambda shape: shape[0], default=(0, 0))
    reads = (files["sentence_bert_config.json"] or {}).get("max_seq_length")
    dense = [int(item["out_features"]) for item in files["dense"] if item]
    colbert = "HF_ColBERT" in (config.get("architectures") or [])  # Stanford's own format
    return Base(
        name=name, location=location, local=local, revision=revision,
        architecture=_architecture(modules, config), modules=modules,
        parameters=sum(prod(shape) for shape in sizes),
        dimensions=int(config.get("hidden_size") or config.get("dim") or embeddings[1]),
        vocabulary=int(config.get("vocab_size") or embeddings[0]),
        stored=_most_common(dtype for dtype, _ in tensors.values()),
        max_tokens=reads or config.get("max_position_embeddings"),
        positions=config.get("max_position_embeddings"),
        mlm_head=_has_mlm_head(tensors, config),
        trained_head=any(key.startswith(("classifier.", "score.", "classification_head.")) for key in tensors),
        layers=int(config.get("num_hidden_layers") or config.get("n_layers") or 0),
        attention_heads=int(config.get("num_attention_heads") or config.get("n_heads") or 0),
        type="multi_vector_encoder" if colbert else _saved_as(modules, files["config_sentence_transformers.json"]),
        projected=tensors["linear.weight"][1][0] if colbert and "linear.weight" in tensors else next(reversed(dense), None),
        prompts=from_config(files["config_sentence_transformers.json"]),
        tensors={key: shape for key, (_, shape) in tensors.items()}, static="model2vec" if model2vec else None,
    )  # fmt: skip


def _architecture(modules: tuple[str, ...], config: Mapping[str, Any]) -> Architecture:
    if "StaticEmbedding" in modules:
        return "static"
    causal = any(str(name).endswith("ForCausalLM") for name in config.get("architectures") or [])
    return "decoder" if causal or config.get("model_type") in _DECODERS else "encoder"


def _saved_as(modules: tuple[str, ...], config: Mapping[str, Any] | None) -> ModelType | None:
    # Before there were other types, the file did not say which.
    return _SAVED_AS.get((config or {}).get("model_type", ""), "sentence_transformer") if modules else None


def _has_mlm_head(tensors: Iterable[str], config: Mapping[str, Any]) -> bool:
    names = list(tensors)
    if names:
        return any(name.startswith(_MLM_HEADS) for name in names)
    return any(str(item).endswith("ForMaskedLM") for item in config.get("architectures") or [])


def tensor_shapes(file: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name, type and shape of each tensor of a safetensors file, from its header alone.

    Raises `Refused` for another kind of file.
    """
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            # The format's own bound; without it the length in a file of another kind would be read into memory.
            header = json.loads(stream.read(length) if length <= 10**8 else b"")
    except (struct.error, ValueError):
        mend = "copy or download the weights anew (a Git LFS pointer stands for weights that were never fetched)"
        raise Refused(Problem("this is no safetensors file", str(file), mend)) from None
    return {key: (item["dtype"], tuple(item["shape"])) for key, item in header.items() if key != "__metadata__"}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError as error:
        raise Refused(Problem(f"this is not JSON: {error}", str(path), "copy or download the model anew")) from None


def _most_common(items: Iterable[str]) -> str:
    found = list(items)
    return max(set(found), key=found.count) if found else "unknown"
