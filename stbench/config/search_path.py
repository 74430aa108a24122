"""Adds the folder `conf` of the working directory to the places where Hydra looks for choices."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from stbench.config.discovery import user_conf


class UserConf(SearchPathPlugin):  # type: ignore[misc]
    """Hydra plugin, registered by the command line itself."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Appends the folder, if there is one, after stbench's own."""
        folder = user_conf()
        if folder is not None:
            search_path.append(provider="working directory", path=str(folder))
