"""Costs in words."""

from __future__ import annotations

from dataclasses import replace

from stbench.evaluation.cost import Cost, Costs, Machine
from stbench.records.cost_table import cost_caption, cost_facts, cost_rows

BEFORE = Cost(1000.0, 2000.0, 0.44, 0.9, 32_768_000, 8_192_000, 1024.0, None, None, 256)
AFTER = replace(BEFORE, texts_per_second=980.0)
PAIRS = replace(BEFORE, queries_per_second=None, index_bytes_per_document=None)
HERE = Machine("cpu", 2, 1.5)


def test_two_lines_say_what_changed() -> None:
    assert cost_facts(Costs(AFTER, HERE, BEFORE)) == [
        (
            "speed",
            "1,000 → 980 documents a second, 2,000 queries a second, one query in 0.44 ms, 95 % of them within 0.9 ms",
        ),
        ("size", "32.8 MB of weights, 8.2 M parameters, 1,024 bytes of index a document"),
    ]


def test_one_model_alone_has_no_arrows() -> None:
    assert not any("→" in text for _, text in cost_facts(Costs(AFTER, HERE)))
    assert all(row.before == "" for row in cost_rows(Costs(AFTER, HERE)))


def test_a_cross_encoder_reads_pairs_and_has_no_index() -> None:
    (_, speed), (_, size) = cost_facts(Costs(PAIRS, HERE, PAIRS))
    assert speed == "1,000 pairs a second, one pair in 0.44 ms, 95 % of them within 0.9 ms"
    assert "index" not in size
    assert "256 pairs" in cost_caption(Costs(PAIRS, HERE, PAIRS))
    assert [row.what for row in cost_rows(Costs(PAIRS, HERE, BEFORE))][:2] == [
        "documents or pairs a second", "queries a second",
    ]  # fmt: skip


def test_the_table_has_every_figure_that_one_of_them_has() -> None:
    sparse = replace(AFTER, active_dims=120.4, query_active_dims=31.0, index_bytes_per_document=963.2)
    rows = {row.what: row for row in cost_rows(Costs(sparse, HERE, BEFORE))}
    assert rows["active dimensions, one document"][1:] == ("", "120")
    assert rows["index, one document"][1:] == ("1,024 bytes", "963 bytes")
    assert "active dimensions, one document" not in {row.what for row in cost_rows(Costs(AFTER, HERE, BEFORE))}


def test_the_caption_says_how_it_was_measured() -> None:
    alike = cost_caption(Costs(AFTER, HERE, BEFORE))
    assert "2 processors with 1.5 processes at work" in alike
    assert "256 documents" in alike
    assert "one architecture" in alike
    assert "one architecture" not in cost_caption(Costs(replace(AFTER, parameters=9), HERE, BEFORE))
    assert "on cuda;" in cost_caption(Costs(AFTER, Machine("cuda", 16, 1.5)))
    assert "work" not in cost_caption(Costs(AFTER, Machine("cpu", 2, None)))
