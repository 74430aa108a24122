"""The command line: `python -m stbench NAME=VALUE …`, handed to Hydra once its words are known to exist."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from stbench.errors import Refused


def main() -> None:
    """Entry of the console script and of `python -m stbench`."""
    sys.exit(command(sys.argv[1:]))


def command(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; of several jobs the gravest."""
    from stbench import console

    # The libraries' own bars would draw over ours; tqdm reads this when it is imported.
    os.environ["TQDM_DISABLE"] = "1"
    if "--version" in argv:
        return console.show_version()
    try:
        if argv[:1] == ["list"]:
            return console.list_choices(argv[1:])
        from stbench.config.preflight import check

        return _hydra(check(argv))
    except Refused as refusal:
        console.show_refusal(refusal)
        return refusal.exit_code


def _hydra(words: list[str]) -> int:
    """Composes the sentence, or each of a sweep, and runs it.

    Raises `Refused` when it cannot be composed; nothing has run then.
    """
    import hydra
    from hydra.core.plugins import Plugins

    from hydra_plugins.stbench.grid import GridSweeper
    from hydra_plugins.stbench.local import LocalLauncher
    from hydra_plugins.stbench.optuna import OptunaSweeper
    from stbench.config.composition import refusal
    from stbench.config.discovery import package_conf
    from stbench.config.search_path import UserConf
    from stbench.task import Task

    task = Task()
    # Hydra's own search for plugins does not find those of an editable installation.
    for plugin in (UserConf, LocalLauncher, GridSweeper, OptunaSweeper):
        Plugins.instance().register(plugin)
    completing = "-sc" in words or "--shell-completion" in words
    # The script for the shell completes the program that argv[0] names, and `python` itself is not ours.
    with _handed_to_hydra(["stbench" if completing else sys.argv[0], *words]):
        try:
            hydra.main(version_base="1.3", config_path=str(package_conf()), config_name="config")(task)()
        except SystemExit as end:
            return 2 if end.code and not task.codes else int(end.code or 0)
        except Exception as error:
            if completing:
                return 1
            if (refused := refusal(error)) is None:
                raise
            raise refused from None
    return task.code


@contextmanager
def _handed_to_hydra(argv: list[str]) -> Iterator[None]:
    """Hydra reads `sys.argv`, and hands its errors on instead of printing them when it is asked for full ones."""
    from hydra._internal.hydra import Hydra

    before, full, get_mode = sys.argv, os.environ.get("HYDRA_FULL_ERROR"), Hydra.get_mode
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = argv, "1"
    if not any("hydra.mode=" in word for word in argv):
        # It would compose the whole sentence once more, only to read that no mode was said: a third of the time of an answer.
        Hydra.get_mode = lambda *_, **__: None
    try:
        yield
    finally:
        sys.argv, Hydra.get_mode = before, get_mode
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full


if __name__ == "__main__":
    main()
