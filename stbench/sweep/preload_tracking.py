"""What jobs need beside that where they are tracked; see `preload`."""

from __future__ import annotations

import contextlib

from stbench.records.mlflow_store import set_environment

set_environment()
with contextlib.suppress(Exception):
    import mlflow.store.tracking.sqlalchemy_store
    import mlflow.tracking  # noqa: F401
