"""The command line: `python -m stbench NAME=VALUE …`, handed to Hydra once its words are known to exist."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stbench.errors import Refused

if TYPE_CHECKING:
    from omegaconf import DictConfig

_GRAVITY = (130, 1, 2, 3)
"""Exit codes of several jobs: the first of these that occurred is the one of the whole."""


def main() -> None:
    """Entry of the console script and of `python -m stbench`."""
    sys.exit(command(sys.argv[1:]))


def command(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    from stbench import console

    # The libraries' own bars would draw over ours; tqdm reads this when it is imported.
    os.environ["TQDM_DISABLE"] = "1"
    if argv[:1] == ["list"]:
        return console.list_choices(argv[1:])
    if "--version" in argv:
        return console.show_version()
    try:
        from stbench.config.preflight import check

        words = check(argv)
    except Refused as refusal:
        console.show_refusal(refusal)
        return refusal.exit_code
    return _hydra(words)


def _hydra(words: list[str]) -> int:
    import hydra
    from hydra.core.plugins import Plugins

    from stbench.config.discovery import package_conf
    from stbench.config.search_path import UserConf

    codes: list[int] = []

    def task(config: DictConfig) -> int:
        from hydra.core.hydra_config import HydraConfig

        from stbench.run import run_job

        codes.append(run_job(config, HydraConfig.get(), words))
        return codes[-1]

    Plugins.instance().register(UserConf)
    program, sys.argv = sys.argv, [sys.argv[0], *words]
    try:
        hydra.main(version_base="1.3", config_path=str(package_conf()), config_name="config")(task)()
    except SystemExit as end:
        # Hydra ends with 1 when the sentence cannot be composed; nothing has run then.
        return 2 if end.code and not codes else int(end.code or 0)
    finally:
        sys.argv = program
    return next((code for code in _GRAVITY if code in codes), 0)


if __name__ == "__main__":
    main()
