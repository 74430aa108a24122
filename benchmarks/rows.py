"""The rows of a sentence as three files, for whoever compares it with a plain script.

python benchmarks/rows.py FOLDER NAME=VALUE …
"""

from __future__ import annotations

import sys
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import open_dict

from stbench.cache import Store, cache_folder
from stbench.config.check import checked
from stbench.config.discovery import package_conf
from stbench.data.mixture import prepare_all
from stbench.models.miner import Miner
from stbench.plan.make import make_plan


def main() -> int:
    folder, words = Path(sys.argv[1]), sys.argv[2:]
    with initialize_config_dir(version_base="1.3", config_dir=str(package_conf())):
        config = compose("config", words, return_hydra_config=True)
    with open_dict(config):
        chosen = config.pop("hydra").runtime.choices
    store = Store(cache_folder(), "on")
    plan = make_plan(checked(config), {str(group): str(name) for group, name in chosen.items() if name}, "rows", store)
    miner = Miner(plan.data.miner, plan.device) if plan.data.miner else None
    splits = prepare_all(plan, store, miner, None, None)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train", "validation", "test"):
        getattr(splits, name).to_parquet(str(folder / f"{name}.parquet"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
