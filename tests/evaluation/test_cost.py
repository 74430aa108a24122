"""Costs as values: dimensions of the whole test split, what the files and the tracker get."""

from __future__ import annotations

import json
from dataclasses import replace

from stbench.evaluation.cost import Cost, Costs, Machine

DENSE = Cost(1000.0, 2000.0, 0.4, 0.9, 4_000_000, 1_000_000, 1024.0, None, None, 256)
SPARSE = replace(DENSE, index_bytes_per_document=800.0, active_dims=100.0, query_active_dims=20.0)


def test_active_dimensions_are_those_of_the_whole_split_where_they_are_known() -> None:
    known = SPARSE.with_dims({"query_active_dims": 30.0, "corpus_active_dims": 150.0})
    assert (known.query_active_dims, known.active_dims, known.index_bytes_per_document) == (30.0, 150.0, 1200.0)
    assert SPARSE.with_dims({}) == SPARSE
    assert DENSE.with_dims({"query_active_dims": 30.0, "corpus_active_dims": 150.0}) == DENSE


def test_the_keys_of_cost_json_are_promises() -> None:
    kept = json.loads(json.dumps(Costs(SPARSE, Machine("cpu", 2, 1.5), DENSE).as_dict()))
    assert list(kept) == ["before", "after", "machine"]
    assert kept["machine"] == {"device": "cpu", "processors": 2, "load": 1.5}
    assert kept["before"]["active_dims"] is None
    assert kept["after"] == {
        "texts_per_second": 1000.0, "queries_per_second": 2000.0, "query_ms_median": 0.4, "query_ms_p95": 0.9,
        "model_bytes": 4_000_000, "parameters": 1_000_000, "index_bytes_per_document": 800.0, "active_dims": 100.0,
        "query_active_dims": 20.0, "measured_on": 256,
    }  # fmt: skip


def test_one_model_alone_has_nothing_before() -> None:
    costs = Costs(DENSE, Machine("cpu", 2, None))
    assert list(costs.as_dict()) == ["after", "machine"]
    assert not any("before" in name for name in costs.metrics())


def test_the_tracker_gets_numbers_under_names_of_their_own() -> None:
    found = Costs(SPARSE, Machine("cpu", 2, 1.5), DENSE).metrics()
    assert found["cost.index_bytes_per_document"] == 800.0
    assert found["cost.before.index_bytes_per_document"] == 1024.0
    assert "cost.before.active_dims" not in found
    assert not any("measured_on" in name for name in found)
    assert all(isinstance(value, float) for value in found.values())


def test_a_machine_tells_how_busy_it_is() -> None:
    here = Machine.here("cpu")
    assert here.processors >= 1
    assert here.load is None or here.load >= 0
