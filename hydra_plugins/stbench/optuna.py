"""`hydra/sweeper=optuna`: a search, run by processes of this machine or by whatever launcher there is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hydra.plugins.sweeper import Sweeper

if TYPE_CHECKING:
    from stbench.sweep.search.run import Hands


class OptunaSweeper(Sweeper):  # type: ignore[misc]
    """Hydra's interface to `stbench.sweep.search`; its options are those of conf/hydra/sweeper/optuna.yaml."""

    def __init__(self, **said: Any) -> None:
        self._said = said
        self._context: Any = None
        self._task: Any = None
        self._config: Any = None

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        self._context, self._task, self._config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Leaves the exit code of the search with the task.

        Raises `Refused` where nothing can be searched.
        """
        from hydra.core.override_parser.overrides_parser import OverridesParser
        from hydra.core.plugins import Plugins
        from omegaconf import OmegaConf

        from stbench.sweep.search.run import run_search

        loader = self._context.config_loader
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._context, task_function=self._task, config=self._config
        )
        said: Any = OmegaConf.to_container(OmegaConf.create(self._said), resolve=True)
        overrides = OverridesParser.create(config_loader=loader).parse_overrides(list(arguments))
        name = str(self._config.hydra.runtime.choices["hydra/launcher"])
        self._task.codes[:] = [run_search(self._config, loader, overrides, said, hands_of(launcher, name, said))]


def hands_of(launcher: Any, name: str, said: dict[str, Any]) -> Hands:
    """What runs the trials: the pool behind `local`, which can stop them, or the launcher itself."""
    from hydra_plugins.stbench.local import LocalLauncher
    from stbench.sweep.search.run import Hands
    from stbench.sweep.search.runner import in_batches, on_this_machine

    if isinstance(launcher, LocalLauncher):
        return Hands(partial(on_this_machine, launcher.slots), name, stops=True, warm_up=launcher.warm_up)
    # The basic launcher runs one after the other: a batch of several would only know less.
    size = said["batch"] or (1 if name == "basic" else None)
    return Hands(partial(in_batches, launcher.launch, size), name, stops=False)
