"""NanoBEIR: the library's figures out of single queries, halves that select and judge, and a Hub that may be away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
import pytest
from end_to_end.hub import Repository, serving
from end_to_end.session import session
from pyarrow import parquet
from small_evaluators import ANSWERS, OTHERS, QUESTIONS, choice, model, plan_for
from tiny_models import Tiny

from stbench.cache import Store
from stbench.evaluation.build import build_evaluator
from stbench.evaluation.nano import check
from stbench.verdict.statistics import STATISTICS

if TYPE_CHECKING:
    from stbench.config.sentence import ModelType

TYPES = ("sentence_transformer", "sparse_encoder", "multi_vector_encoder", "cross_encoder")
PARTS = {"NanoNQ": range(14), "NanoMSMARCO": range(14, 21)}
"""Queries of each data set: different numbers, so that a mean over all is not the mean of the means."""


def table(subset: str, split: str) -> dict[str, list[Any]]:
    """A part of a data set in NanoBEIR's layout; the last two queries have two relevant documents."""
    numbers = PARTS[split]
    if subset == "queries":
        return {"_id": [f"q{i}" for i in numbers], "text": [QUESTIONS[i] for i in numbers]}
    if subset == "corpus":
        texts = [*(ANSWERS[i] for i in numbers), *(OTHERS[i] for i in numbers)]
        return {"_id": [f"d{place}" for place in range(len(texts))], "text": texts}
    places = list(range(len(numbers)))
    if subset == "qrels":
        pairs = [(f"q{numbers[place]}", f"d{place}") for place in places]
        pairs += [(f"q{numbers[place]}", f"d{place + len(numbers)}") for place in places[-2:]]
        return {"query-id": [query for query, _ in pairs], "corpus-id": [document for _, document in pairs]}
    ranked = [[f"d{(place + shift) % (2 * len(numbers))}" for shift in (1, 0, 2)] for place in places]
    return {"query-id": [f"q{i}" for i in numbers], "corpus-ids": ranked}


@pytest.fixture
def nano(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """An evaluator whose data sets come from here."""
    from datasets import Dataset
    from sentence_transformers.cross_encoder.evaluation import CrossEncoderNanoBEIREvaluator
    from sentence_transformers.sentence_transformer.evaluation import NanoBEIREvaluator

    for cls in (NanoBEIREvaluator, CrossEncoderNanoBEIREvaluator):
        monkeypatch.setattr(
            cls,
            "_load_dataset_subset_split",
            lambda self, subset, split, required_columns: Dataset.from_dict(table(subset, split)),
        )

    def made(type_: ModelType, split: str = "test", **more: Any) -> Any:
        arguments = {"dataset_id": "owner/nano", "dataset_names": ["nq", "msmarco"]}
        plan = replace(plan_for("nano_beir", type_, arguments=arguments), **{"decides": False, **more})
        return build_evaluator(plan, type_, None, split, "fp32", None, Store(tmp_path, "on"))  # type: ignore[arg-type]

    return made


def plain(type_: ModelType) -> Any:
    import importlib

    module = importlib.import_module(f"sentence_transformers.{type_}.evaluation")
    return getattr(module, choice("nano_beir").classes[type_])(["nq", "msmarco"], "owner/nano", write_csv=False)


@pytest.mark.parametrize("type_", TYPES)
def test_figures_are_the_librarys_and_come_out_of_the_queries(type_: ModelType, nano: Callable[..., Any]) -> None:
    encoder = model(type_, "retrieval")
    recorder, library = nano(type_), plain(type_)
    metrics, expected = recorder(encoder), library(encoder)
    assert metrics.keys() == expected.keys()
    for key, value in expected.items():
        assert metrics[key] == pytest.approx(value, abs=1e-6), key
    end = "ndcg@10" if type_ == "cross_encoder" else f"{library.score_function_names[0]}_ndcg@10"
    assert recorder.primary_metric == f"{recorder.name}_{end}"
    outcomes = recorder.outcomes
    assert {len(column) for column in outcomes.values()} == {21}
    assert len(set(outcomes["id"])) == 21
    (again,) = STATISTICS["mean_of_groups"](outcomes, np.ones((1, 21)))
    assert again == pytest.approx(metrics[recorder.primary_metric], abs=1e-9)
    assert again != pytest.approx(outcomes["value"].mean(), abs=1e-6)
    references = recorder.references
    assert references == (
        {"BM25, not reranked": pytest.approx(expected["NanoBEIR_R100_mean_base_ndcg@10"])}
        if type_ == "cross_encoder"
        else {}
    )


@pytest.mark.parametrize("type_", ["sentence_transformer", "cross_encoder"])
def test_no_query_both_selects_and_judges(type_: ModelType, nano: Callable[..., Any]) -> None:
    validation, test, whole = (
        nano(type_, split, decides=decides)
        for split, decides in (("validation", True), ("test", True), ("test", False))
    )
    halves = set(validation.sample_ids), set(test.sample_ids)
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == set(whole.sample_ids)
    assert min(map(len, halves)) == 10
    assert len({validation.content, test.content, whole.content}) == 3
    metrics = test(model(type_, "retrieval"))
    (again,) = STATISTICS["mean_of_groups"](test.outcomes, np.ones((1, len(test.sample_ids))))
    assert again == pytest.approx(metrics[test.primary_metric], abs=1e-9)


def test_other_data_is_other_content(nano: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    before = nano("sentence_transformer").content
    assert before == nano("sentence_transformer").content
    monkeypatch.setitem(PARTS, "NanoNQ", range(13))
    assert nano("sentence_transformer").content != before


def test_data_sets_that_there_are_not_are_named_with_the_closest() -> None:
    plan = plan_for("nano_beir", "sentence_transformer", arguments={"dataset_names": ["nq", "msmarko"]})
    (problem,) = check([plan])
    assert (problem.what, problem.mend) == ("NanoBEIR has no data set 'msmarko'", "did you mean msmarco?")


@dataclass(frozen=True)
class Place:
    say: Any
    asked: list[str]
    words: tuple[str, ...]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny) -> Iterator[Place]:
    """A Hub with NanoBEIR's layout, and a process that uses it."""
    folder = tmp_path_factory.mktemp("hub")
    configs = []
    for subset in ("corpus", "queries", "qrels"):
        for split in PARTS:
            file = folder / "nano" / subset / f"{split}-00000-of-00001.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            parquet.write_table(pyarrow.table(table(subset, split)), file)
        files = ", ".join(f'{{split: {split}, path: "{subset}/{split}-*"}}' for split in PARTS)
        configs.append(f"- config_name: {subset}\n  data_files: [{files}]\n")
    (folder / "nano" / "README.md").write_text(f"---\nconfigs:\n{''.join(configs)}---\n")
    pairs = folder / "pairs.csv"
    pairs.write_text("question,answer\n" + "".join(f"{q},{a}\n" for q, a in zip(QUESTIONS, ANSWERS, strict=True)))
    with serving(Repository("owner/nano", folder / "nano", "datasets")) as (address, asked):
        own = {"HF_ENDPOINT": address, "HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "0"}
        words = (
            "dataset=files", f"dataset.train={pairs}", f"base_model={tiny.pooled}", "evaluator.hub=owner/nano",
            "evaluator.datasets=[nq,msmarco]", "training=smoke", "tracker=none",
        )  # fmt: skip
        with session(folder, **own) as say:
            yield Place(say, asked, words)


@pytest.mark.slow
def test_a_run_is_judged_by_data_sets_of_the_hub(place: Place) -> None:
    code, out, err = place.say(*place.words, "evaluator=nano_beir")
    assert code == 0, err
    assert "metric=cosine_ndcg@10" in out.splitlines()[-1]
    assert "n=11" in out.splitlines()[-1]
    assert "the other gives the verdict" in " ".join(out.split())
    assert "Loading NanoBEIR" not in err


@pytest.mark.slow
def test_beside_another_all_queries_count(place: Place) -> None:
    words = [word for word in place.words if not word.startswith(("evaluator.hub", "evaluator.datasets"))]
    code, out, err = place.say(*words, "evaluator=retrieval", "evaluator.also=nano_beir", "plan=only")
    assert code == 0, err
    assert "NanoBEIREvaluator: ndcg@10" in out


def test_without_the_hub_it_is_refused_with_what_mends_it(
    plan_of: Callable[..., Any], data: Any, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stbench import hub
    from stbench.errors import Refused

    monkeypatch.setattr(hub, "reachable", lambda: False)
    words = ["dataset=files", f"dataset.train={data['pair']}", f"base_model={encoder}"]
    for said, mend in (("evaluator=nano_beir", "evaluator=auto"), ("evaluator.also=nano_beir", "leave it out")):
        with pytest.raises(Refused) as caught:
            plan_of(*words, said)
        (problem,) = caught.value.problems
        assert "cannot be reached" in problem.what
        assert problem.mend.startswith(mend)
