"""`hydra/sweeper=grid`, which `-m` takes by itself: every combination, checked first, run by whatever launcher there is."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper


class GridSweeper(Sweeper):  # type: ignore[misc]
    """Hydra's interface to `stbench.sweep.grid`."""

    def __init__(self, **others: Any) -> None:
        """`others` are options of another sweeper."""
        self._others = others
        self._context: Any = None
        self._task: Any = None
        self._config: Any = None

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        self._context, self._task, self._config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Leaves the exit code of the sweep with the task.

        Raises `Refused` where nothing can be run at all.
        """
        from hydra.core.override_parser.overrides_parser import OverridesParser
        from hydra.core.plugins import Plugins

        from hydra_plugins.stbench.local import LocalLauncher
        from stbench.errors import Problem, Refused
        from stbench.sweep.grid import run_grid

        if self._others:
            what = "the grid has no such option"
            raise Refused(
                *(Problem(what, f"hydra.sweeper.{name}", "add hydra/sweeper=optuna") for name in self._others)
            )
        parser = OverridesParser.create(config_loader=self._context.config_loader)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._context, task_function=self._task, config=self._config
        )
        self._task.codes[:] = [
            run_grid(
                self._config, self._context.config_loader, parser.parse_overrides(list(arguments)), launcher.launch,
                launcher.warm_up if isinstance(launcher, LocalLauncher) else None,
            )
        ]  # fmt: skip
