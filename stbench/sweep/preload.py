"""What every job needs, imported once by the process that all jobs are forked from; nothing here may start a thread."""

from __future__ import annotations

import contextlib
import logging
import os
from importlib import import_module

os.environ["TQDM_DISABLE"] = "1"
# Without any handler, warnings that libraries log while they are imported would stand on the console.
logging.getLogger().addHandler(logging.NullHandler())

MODULES = (
    "hydra.core.hydra_config",
    "sentence_transformers",
    "sentence_transformers.sentence_transformer.losses",
    "stbench.run",
    "stbench.stages",
    "stbench.plan.make",
    "stbench.audit.examine",
    "stbench.data.mixture",
    "stbench.data.mining",
    "stbench.evaluation.build",
    "stbench.evaluation.mixture",
    "stbench.evaluation.nano",
    "stbench.evaluation.metering",
    "stbench.models.build",
    "stbench.models.adapter",
    "stbench.models.save",
    "stbench.training.train",
    "stbench.training.callbacks",
    "stbench.training.adapters",
    "stbench.training.pace",
    "stbench.records.record",
    "stbench.records.charts",
    "stbench.verdict.statistics",
    "wordllama",
    "bm25s",
    "datasketch",
    "accelerate",
    "matplotlib.pyplot",
)

for name in MODULES:
    # What is not there, or not needed, is the business of the job that needs it.
    with contextlib.suppress(Exception):
        import_module(name)
