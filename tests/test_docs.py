"""What the documents say can be typed: every command composes, every make target exists, every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from stbench.config.preflight import check

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
MISSPELT = "loss=contrastiv"


def blocks(document: Path) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)).replace(
        "\\\n", " "
    )


def sentences() -> list[str]:
    found = []
    for document in DOCUMENTS:
        lines = [shlex.split(line, comments=True) for line in blocks(document).splitlines()]
        found += [shlex.join(line[3:]) for line in lines if line[:3] == ["python", "-m", "stbench"]]
    return found


def test_there_are_sentences_to_check() -> None:
    assert len(sentences()) >= 10


@pytest.mark.parametrize("sentence", sentences())
def test_every_documented_sentence_is_one(sentence: str) -> None:
    words = shlex.split(sentence)
    assert len(check(words)) >= len(words)


def test_the_misspelt_example_is_answered_as_shown() -> None:
    from stbench.errors import Refused

    with pytest.raises(Refused) as refusal:
        check([MISSPELT])
    (problem,) = refusal.value.problems
    readme = DOCUMENTS[0].read_text(encoding="utf-8")
    assert f"✗ {problem.where}: {problem.what}" in readme
    assert f"→ {problem.mend}" in readme


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`?\bmake ([a-z-]+)\b`?", blocks(document))) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (document.parent / target).exists(), target


def test_the_matrix_shows_the_whole_catalogue() -> None:
    from stbench.config.discovery import choices, load

    page = (ROOT / "docs" / "matrix.md").read_text(encoding="utf-8")
    assert re.search(r"^\d+ cells: \d+ trained, \d+ refused, 0 failed\.$", page, re.MULTILINE)
    tables = {table.split("\n", 1)[0].split()[0]: table for table in page.split("\n## ")[1:]}
    for name in choices()["loss"]:
        for type_ in load("loss", name)["types"]:
            assert f"| `{name}` |" in tables[type_], (name, type_)
