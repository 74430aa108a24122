from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stbench.errors import Problem, Refused
from stbench.models.base import Base, layer_of, locate, tensor_shapes

if TYPE_CHECKING:
    from stbench.config.sentence import ModelType

BERT = {
    "model_type": "bert", "architectures": ["BertModel"], "hidden_size": 8, "vocab_size": 30, "num_hidden_layers": 2,
    "num_attention_heads": 2, "max_position_embeddings": 64,
}  # fmt: skip
WORDS = {"embeddings.word_embeddings.weight": (30, 8)}
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]


def at(path: Path | str, name: str = "path") -> Base:
    return locate(name, None, str(path), None, None)


def problem(path: Path | str) -> Problem:
    with pytest.raises(Refused) as caught:
        at(path)
    (only,) = caught.value.problems
    assert only.mend
    return only


def test_a_transformer_is_described_by_its_small_files(tmp_path: Path, write_model: Callable[..., Path]) -> None:
    found = at(write_model(tmp_path, BERT, {**WORDS, "encoder.layer.0.weight": (8, 8)}))
    assert (found.architecture, found.modules, found.local) == ("encoder", (), True)
    assert (found.parameters, found.dimensions, found.vocabulary) == (30 * 8 + 64, 8, 30)
    assert (found.layers, found.attention_heads, found.max_tokens, found.positions) == (2, 2, 64, 64)
    assert (found.stored, found.mlm_head, found.trained_head) == ("F32", False, False)


def test_a_sentence_transformers_folder_is_described_by_its_modules(
    tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    settings = {"max_seq_length": 48}
    found = at(write_model(tmp_path, BERT, WORDS, modules=MODULES, sentence_bert_config=settings))
    assert found.modules == ("Transformer", "Pooling")
    assert (found.max_tokens, found.positions) == (48, 64)


def test_older_folders_keep_the_transformer_further_in(tmp_path: Path, write_model: Callable[..., Path]) -> None:
    write_model(tmp_path / "0_Transformer", {**BERT, "model_type": "llama"}, WORDS)
    (tmp_path / "modules.json").write_text(json.dumps(MODULES), encoding="utf-8")
    found = at(tmp_path)
    assert (found.architecture, found.dimensions, found.positions) == ("decoder", 8, 64)


def test_static_embeddings_are_seen_from_the_modules(tmp_path: Path, write_model: Callable[..., Path]) -> None:
    write_model(tmp_path / "0_StaticEmbedding", {}, {"embedding.weight": (100, 16)})
    module = [
        {"idx": 0, "name": "0", "path": "0_StaticEmbedding", "type": "sentence_transformers.models.StaticEmbedding"}
    ]
    (tmp_path / "modules.json").write_text(json.dumps(module), encoding="utf-8")
    found = at(tmp_path)
    assert (found.architecture, found.parameters, found.dimensions, found.vocabulary) == ("static", 1600, 16, 100)
    assert (found.positions, found.layers) == (None, 0)


@pytest.mark.parametrize(
    ("config", "decoder"),
    [
        ({"model_type": "llama"}, True), ({"model_type": "qwen3"}, True), ({"architectures": ["NewForCausalLM"]}, True),
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, False), ({"model_type": "modernbert"}, False),
    ],
)  # fmt: skip
def test_decoders_are_told_from_encoders(
    config: dict[str, Any], decoder: bool, tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    assert (at(write_model(tmp_path, config, WORDS)).architecture == "decoder") is decoder


@pytest.mark.parametrize(
    ("tensor", "mlm", "trained"),
    [
        ("cls.predictions.transform.dense.weight", True, False), ("lm_head.dense.weight", True, False),
        ("vocab_transform.weight", True, False), ("classifier.weight", False, True), ("score.weight", False, True),
        ("pooler.dense.weight", False, False),
    ],
)  # fmt: skip
def test_heads_are_believed_only_when_they_lie_in_the_weights(
    tensor: str, mlm: bool, trained: bool, tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    config = {**BERT, "architectures": ["BertForMaskedLM"]}
    found = at(write_model(tmp_path, config, {**WORDS, tensor: (8, 8)}))
    assert (found.mlm_head, found.trained_head) == (mlm, trained)


def test_without_safetensors_the_class_name_has_to_do(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**BERT, "architectures": ["BertForMaskedLM"]}), encoding="utf-8")
    found = at(tmp_path)
    assert (found.mlm_head, found.parameters, found.stored, found.dimensions) == (True, 0, "unknown", 8)


def test_parts_of_the_weights_are_added_up(tmp_path: Path, write_model: Callable[..., Path]) -> None:
    write_model(tmp_path, BERT, WORDS)
    (tmp_path / "model.safetensors").rename(tmp_path / "model-00001-of-00002.safetensors")
    write_model(tmp_path, BERT, {"encoder.weight": (5, 5)})
    assert at(tmp_path).parameters == 30 * 8 + 25


def test_the_type_of_most_weights_is_the_one_they_are_stored_in(tmp_path: Path) -> None:
    kinds = {"a": "F16", "b": "F16", "c": "F32"}
    header = json.dumps(
        {name: {"dtype": kind, "shape": [2, 2], "data_offsets": [0, 0]} for name, kind in kinds.items()}
    )
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode())
    (tmp_path / "config.json").write_text(json.dumps(BERT), encoding="utf-8")
    assert at(tmp_path).stored == "F16"
    assert tensor_shapes(tmp_path / "model.safetensors")["a"] == ("F16", (2, 2))


@pytest.mark.parametrize(
    "content", [b"", b"short", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", b"\0" * 64]
)
def test_weights_that_are_none_are_refused(content: bytes, tmp_path: Path, write_model: Callable[..., Path]) -> None:
    write_model(tmp_path, BERT, WORDS)
    (tmp_path / "model.safetensors").write_bytes(content)
    found = problem(tmp_path)
    assert found.what == "this is no safetensors file"
    assert found.where == str(tmp_path / "model.safetensors")


def test_a_config_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    assert "not JSON" in problem(tmp_path).what


def test_a_folder_that_is_misspelt_gets_the_closest_name(workplace: Path, write_model: Callable[..., Path]) -> None:
    write_model(workplace / "models" / "minilm", BERT, WORDS)
    for wrong in ("models/minilmm", "./models/minilmm", str(workplace / "models" / "minilmm")):
        assert problem(wrong).mend == f"did you mean {Path(wrong).parent / 'minilm'}?"


def test_a_folder_around_the_model_gets_the_model_inside(workplace: Path, write_model: Callable[..., Path]) -> None:
    write_model(workplace / "run" / "model", BERT, WORDS)
    assert problem("run/").mend == "did you mean run/model?"


def test_a_folder_without_any_model_is_refused(tmp_path: Path) -> None:
    assert problem(tmp_path).mend == "a model folder holds config.json or modules.json"


@pytest.mark.parametrize("wrong", ["./nowhere", "/no/such/folder", "../x/y"])
def test_a_path_that_leads_nowhere_is_refused(wrong: str, workplace: Path) -> None:
    assert problem(wrong).what == "there is no such folder"


def test_a_hub_id_that_is_not_in_the_cache_is_refused_without_a_network(workplace: Path) -> None:
    found = problem("owner/name")
    assert "owner/name cannot be had" in found.what
    assert "base_model=wordllama" in found.mend


def test_the_package_comes_first_then_the_path_then_the_hub(
    tmp_path: Path, write_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "some_weights"
    write_model(package / "model", BERT, WORDS)
    (package / "__init__.py").write_text("", encoding="utf-8")
    folder = write_model(tmp_path / "folder", BERT, WORDS)
    monkeypatch.syspath_prepend(tmp_path)
    assert locate("x", "some_weights", str(folder), "owner/name", None).location == str(package / "model")
    assert locate("x", "no_such_package", str(folder), "owner/name", None).location == str(folder)
    assert "some_weights" not in sys.modules


def test_a_package_that_is_not_installed_is_named_as_pip_knows_it() -> None:
    with pytest.raises(Refused) as caught:
        locate("x", "no_such_package", None, None, None)
    assert caught.value.problems[0].mend == "pip install no-such-package"


def test_wordllama_is_a_table_inside_its_package() -> None:
    found = locate("wordllama", "wordllama", None, None, None)
    assert (found.architecture, found.parameters, found.dimensions) == ("static", 32_000 * 256, 256)
    assert found.wordllama
    assert found.wordllama_weights.is_file()
    assert found.wordllama_tokenizer.is_file()


@pytest.mark.parametrize(
    ("model_type", "found"),
    [
        (None, "sentence_transformer"), ("SentenceTransformer", "sentence_transformer"), ("CrossEncoder", "cross_encoder"),
        ("SparseEncoder", "sparse_encoder"), ("MultiVectorEncoder", "multi_vector_encoder"),
        ("ColBERT", "multi_vector_encoder"),
    ],
)  # fmt: skip
def test_a_folder_says_which_model_type_it_was_saved_as(
    model_type: str | None, found: ModelType, tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    settings = {"model_type": model_type} if model_type else {"__version__": {}}
    base = at(write_model(tmp_path, BERT, WORDS, modules=MODULES, config_sentence_transformers=settings))
    assert base.type == found
    assert base.modules_for(found) == base.modules
    other: ModelType = "cross_encoder" if found != "cross_encoder" else "sparse_encoder"
    assert base.modules_for(other) == ()


def test_the_dense_module_of_a_folder_says_how_large_its_vectors_are(
    tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    write_model(tmp_path, BERT, WORDS, modules=[*MODULES, dense])
    (tmp_path / "2_Dense").mkdir()
    (tmp_path / "2_Dense" / "config.json").write_text(json.dumps({"in_features": 8, "out_features": 3}), "utf-8")
    assert (at(tmp_path).dimensions, at(tmp_path).projected, at(tmp_path).projects_tokens) == (8, 3, True)


def test_a_colbert_in_its_authors_own_format_is_known(tmp_path: Path, write_model: Callable[..., Path]) -> None:
    config = {**BERT, "architectures": ["HF_ColBERT"]}
    found = at(write_model(tmp_path, config, {**WORDS, "linear.weight": (4, 8)}))
    assert (found.type, found.modules, found.projected, found.projects_tokens) == ("multi_vector_encoder", (), 4, True)


def test_tensors_belong_to_layers_or_to_none(tmp_path: Path, write_model: Callable[..., Path]) -> None:
    names = {
        "encoder.layer.1.attention.weight": 1, "model.layers.11.mlp.weight": 11, "transformer.h.0.attn.weight": 0,
        "embeddings.word_embeddings.weight": None, "classifier.weight": None,
    }  # fmt: skip
    found = at(write_model(tmp_path, BERT, dict.fromkeys(names, (8, 8))))
    assert {name: layer_of(name) for name in found.tensors} == names
