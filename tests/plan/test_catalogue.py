"""The catalogue of losses against what the installed library exports: a new release shows what is missing."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from stbench.config.discovery import choices, load
from stbench.config.sentence import Loss, LossForType, ModelType

NO_LOSSES = {
    "BatchHardTripletLossDistanceFunction": "distances, named by loss.arguments.distance_metric",
    "SiameseDistanceMetric": "distances, named by loss.arguments.distance_metric",
    "TripletDistanceMetric": "distances, named by loss.arguments.distance_metric",
    "ContrastiveTensionDataLoader": "the conversion `tension` makes its pairs",
    "NDCGLoss1Scheme": "named by loss.arguments.weighting_scheme",
    "NDCGLoss2Scheme": "named by loss.arguments.weighting_scheme",
    "NDCGLoss2PPScheme": "named by loss.arguments.weighting_scheme",
    "LambdaRankScheme": "named by loss.arguments.weighting_scheme",
    "NoWeightingScheme": "named by loss.arguments.weighting_scheme",
    "PListMLELambdaWeight": "named by loss.arguments.lambda_weight",
    "SpladeLoss": "around every loss of a SPLADE model",
    "CachedSpladeLoss": "around every cached loss of a SPLADE model",
    "FlopsLoss": "the regulariser inside SpladeLoss",
    "CSRLoss": "around every loss of a sparse auto-encoder",
    "CSRReconstructionLoss": "the reconstruction inside CSRLoss; it cannot be trained alone",
}
"""What the modules of losses export beside losses, and where each is reached."""


def entries() -> Iterator[tuple[str, str, LossForType]]:
    for name in choices()["loss"]:
        for type_, some in Loss.model_validate(load("loss", name)).types.items():
            yield from ((name, type_, entry) for entry in some)


def exported(type_: str) -> set[str]:
    module = importlib.import_module(f"sentence_transformers.{type_}.losses")
    return {name for name in module.__all__ if inspect.isclass(getattr(module, name))}


@pytest.mark.parametrize("type_", get_args(ModelType))
def test_every_loss_of_the_library_is_a_choice(type_: str) -> None:
    known = {entry.cls for _, of, entry in entries() if of == type_}
    modifiers = {load("modifier", name).get("class") for name in choices()["modifier"]}
    assert exported(type_) - known - set(NO_LOSSES) == (
        modifiers - {None} if type_ == "sentence_transformer" else set()
    )


@pytest.mark.parametrize("type_", get_args(ModelType))
def test_every_choice_is_a_loss_of_the_library(type_: str) -> None:
    assert {entry.cls for _, of, entry in entries() if of == type_} <= exported(type_) - set(NO_LOSSES)


def test_what_is_no_loss_is_still_exported() -> None:
    assert set(NO_LOSSES) <= set().union(*map(exported, get_args(ModelType)))


@pytest.mark.parametrize(("name", "type_", "entry"), list(entries()), ids=lambda value: str(value)[:40])
def test_the_arguments_in_the_files_are_those_of_the_class(name: str, type_: str, entry: LossForType) -> None:
    module: Any = importlib.import_module(f"sentence_transformers.{type_}.losses")
    classes = [entry.cls, *(["SpladeLoss", "CachedSpladeLoss"] if type_ == "sparse_encoder" else [])]
    known = {arg for cls in classes for arg in inspect.signature(getattr(module, cls).__init__).parameters}
    assert set(entry.arguments) | set(entry.fills) <= known


@pytest.mark.parametrize(("name", "type_", "entry"), list(entries()), ids=lambda value: str(value)[:40])
def test_the_files_say_where_a_class_changes_the_similarity_of_the_model(
    name: str, type_: str, entry: LossForType
) -> None:
    cls = getattr(importlib.import_module(f"sentence_transformers.{type_}.losses"), entry.cls)
    sources = [inspect.getsource(base) for base in cls.__mro__ if base.__module__.startswith("sentence_transformers")]
    set_to = {found for source in sources for found in re.findall(r'model\.similarity_fn_name = "(\w+)"', source)}
    assert {entry.similarity} - {None} == set_to


def test_every_class_named_by_a_choice_of_the_library_bears_its_name() -> None:
    """`loss=CoSENTLoss` trains CoSENT whatever the model type: the class behind it ends in the same name."""
    for name, _, entry in entries():
        if name[0].isupper():
            stem = entry.cls.replace("Sparse", "").replace("MultiVector", "")
            assert stem.removeprefix("Cached") == name.removeprefix("Cached")


NO_EVALUATORS = {
    "BaseEvaluator": "what all evaluators are made from",
    "SentenceEvaluator": "the same under its old name",
    "SimilarityFunction": "names of similarities",
    "SequentialEvaluator": "evaluator.also=[…] reports several beside the deciding one",
    "MSEEvaluatorFromDataFrame": "evaluator=mse reads files of parallel texts",
    "ReciprocalRankFusionEvaluator": "evaluator.fusion=on, beside every retrieval",
    "CERerankingEvaluator": "deprecated: CrossEncoderRerankingEvaluator",
    "CECorrelationEvaluator": "deprecated: CrossEncoderCorrelationEvaluator",
    "CEBinaryAccuracyEvaluator": "deprecated: CrossEncoderClassificationEvaluator",
    "CEBinaryClassificationEvaluator": "deprecated: CrossEncoderClassificationEvaluator",
    "CEF1Evaluator": "deprecated: CrossEncoderClassificationEvaluator",
    "CESoftmaxAccuracyEvaluator": "deprecated: CrossEncoderClassificationEvaluator",
}
"""What the modules of evaluators export beside evaluators that can decide, and where each is reached."""


def evaluators_of(type_: str) -> set[str]:
    found = (load("evaluator", name).get("classes", {}) for name in choices()["evaluator"])
    return {classes[type_] for classes in found if type_ in classes}


@pytest.mark.parametrize("type_", get_args(ModelType))
def test_every_evaluator_of_the_library_is_a_choice_and_nothing_else_is(type_: str) -> None:
    module = importlib.import_module(f"sentence_transformers.{type_}.evaluation")
    assert set(module.__all__) - set(NO_EVALUATORS) == evaluators_of(type_)


def test_what_is_no_evaluator_is_still_exported() -> None:
    modules = [importlib.import_module(f"sentence_transformers.{type_}.evaluation") for type_ in get_args(ModelType)]
    assert set(NO_EVALUATORS) <= {name for module in modules for name in module.__all__}
