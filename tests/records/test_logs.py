"""Everything goes to the run's log while the run lasts, and nothing stays changed afterwards."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest

from stbench.records.logs import QUIET, to_file


def test_loggers_and_warnings_go_to_the_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "logs" / "run.log"
    with to_file(file):
        logging.getLogger("any.library").info("ä told")
        logging.getLogger("any.library").debug("too much")
        warnings.warn("old function", FutureWarning, stacklevel=1)
    text = file.read_text(encoding="utf-8")
    assert "INFO    any.library: ä told" in text
    assert "FutureWarning: old function" in text
    assert "too much" not in text
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_chatter_of_noisy_libraries_stays_out_but_not_their_warnings(tmp_path: Path) -> None:
    # Some that other tests have imported write to handlers of their own.
    heard = [name for name in QUIET if logging.getLogger(name).propagate]
    with to_file(tmp_path / "run.log"):
        for name in heard:
            logging.getLogger(name).info("chatter of %s", name)
            logging.getLogger(name).warning("trouble of %s", name)
    text = (tmp_path / "run.log").read_text(encoding="utf-8")
    assert "chatter" not in text
    assert text.count("trouble of") == len(heard) > 0


def test_a_second_run_appends(tmp_path: Path) -> None:
    for words in ("first", "second"):
        with to_file(tmp_path / "run.log"):
            logging.getLogger("stbench").info(words)
    lines = (tmp_path / "run.log").read_text(encoding="utf-8").splitlines()
    assert [line.rsplit(" ", 1)[1] for line in lines] == ["first", "second"]


@pytest.mark.parametrize("error", [None, ValueError])
def test_everything_is_as_before_afterwards(tmp_path: Path, error: type[Exception] | None) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), warnings.filters[:], warnings.showwarning)
    try:
        with to_file(tmp_path / "run.log"):
            assert (root.level, warnings.showwarning) != (before[0], before[3])
            if error:
                raise error
    except ValueError:
        pass
    assert (root.level, root.handlers, warnings.filters, warnings.showwarning) == before


def test_libraries_neither_draw_bars_nor_print(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import datasets
    from transformers.utils import logging as transformers_logging

    from stbench.records.logs import quiet_libraries

    quiet_libraries()
    capfd.readouterr()
    with to_file(tmp_path / "run.log"):
        transformers_logging.get_logger("transformers.anything").warning("a library speaks")
        datasets.Dataset.from_dict({"text": ["a", "b"]}).map(lambda row: {"more": row["text"]})
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert "a library speaks" in (tmp_path / "run.log").read_text(encoding="utf-8")
