"""What every job leaves while it goes on: its folder, its log, its tracking, what it cost."""

from __future__ import annotations

import logging
import os
import platform
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stbench import console
from stbench.cache import Store, key_of
from stbench.config.fingerprint import meaning
from stbench.config.secrets import redacted
from stbench.config.sentence import Sentence
from stbench.data.rows import digest as digest_of
from stbench.data.sources import Source
from stbench.errors import Interrupted, in_words
from stbench.records import ledger
from stbench.records.attempt import begin, ended_at
from stbench.records.folder import LOGS, RunFolder
from stbench.records.logs import to_file
from stbench.records.mlflow_runs import ATTEMPT, PARENT, Status
from stbench.records.spent import scoring_share
from stbench.records.tracker import PARENT_VARIABLE, MlflowTracker, NoTracker, Tracker

if TYPE_CHECKING:
    from datasets import Dataset

PACKAGES = ("sentence-transformers", "transformers", "torch", "datasets", "accelerate", "hydra-core", "mlflow")
LEDGER = LOGS / "experiments.md"
log = logging.getLogger("stbench")


@contextmanager
def opened(
    folder: RunFolder,
    sentence: Sentence,
    plan: str,
    sources: Sequence[Source],
    command: str,
    store: Store,
    weights: Sequence[Path] = (),
) -> Iterator[Logbook]:
    """Opens the records of a job and closes them the way it ended: finished, failed or interrupted.

    `plan` is the plan in words, `sources` what its rows come from: other rows under the same name start over. `weights` are
    files of models that may change under the same name.
    """
    digests = [source.digest() for source in sources]
    data = digests[0] if len(digests) == 1 else key_of(*digests)
    fresh = begin(folder, data, sentence.force)
    with to_file(folder.log):
        book = Logbook(folder, sentence, command, store)
        book.write_opening(plan, [*(file for source in sources for file in source.inputs), *weights])
        log.info("%s: %s", "started" if fresh else "resumed", command)
        try:
            yield book
        except (KeyboardInterrupt, Interrupted) as stop:
            log.warning("interrupted")
            book.close("interrupted", "KILLED", str(stop))
            raise
        except BaseException as error:
            book.close("failed", "FAILED", in_words(error))
            raise


class Logbook:
    """The records of one job while it runs."""

    def __init__(self, folder: RunFolder, sentence: Sentence, command: str, store: Store) -> None:
        self.folder = folder
        self.sentence = sentence
        self.command = command
        self.store = store
        self.trial = sentence.training.trial
        self.seconds: dict[str, float] = {}
        """Wall time by stage."""
        self.tracker: Tracker = NoTracker()
        self._start = time.perf_counter()
        self._tracked = False

    def write_opening(self, plan: str, inputs: Iterable[Path]) -> None:
        from omegaconf import OmegaConf

        config = OmegaConf.create(self.sentence.model_dump(mode="json", by_alias=True))
        self.folder.write("config.yaml", OmegaConf.to_yaml(config))
        self.folder.write("command.txt", self.command + "\n")
        self.folder.write("plan.txt", plan + "\n")
        self.folder.write("environment.json", environment())
        files = {str(file): [file.stat().st_size, file.stat().st_mtime_ns] for file in inputs}
        self.folder.write("inputs.json", files)

    def start_tracking(self) -> None:
        """Opens the tracking in the background; after the heavy imports, which it would slow down."""
        choice = self.sentence.tracker
        if choice.kind == "none" or self.trial:
            return
        self.tracker = MlflowTracker(choice.uri, choice.experiment)
        status = self.folder.read("status.json")
        tags, parameters = tracked_as(self.folder, self.sentence, self.command)
        before, replaced = status.get("mlflow_run"), status.get("replaced", ())
        self.tracker.start(self.folder.name, parameters, tags, resume=before, replaced=replaced)

    def name_rows(self, source: str, split: str, rows: Dataset, context: str = "", part: str = "") -> None:
        """Names the rows of a split to the tracker; `part` is that of a mixture."""
        if isinstance(self.tracker, NoTracker):
            return  # the digest reads every row
        digest = digest_of(rows)
        self.tracker.dataset(f"{part or Path(source).stem}-{split}", digest, len(rows), source, context or split)

    def remember_tracking(self) -> None:
        """Keeps the tracker's id of this run as soon as it is known: whoever goes on with the run goes on with that."""
        if not self._tracked and (run := self.tracker.run_id):
            self.folder.set_state("running", mlflow_run=run)
            self._tracked = True

    def end_tracking(self) -> None:
        """Waits until all is tracked, and tells what was not."""
        self.remember_tracking()
        with console.progress("tracking"):
            trouble = self.tracker.finish("FINISHED")
        if trouble:
            console.note(trouble)

    def close(self, state: Literal["failed", "interrupted"], status: Status, reason: str) -> None:
        """The job did not come to its end; `reason` in one line."""
        self.remember_tracking()
        self.folder.set_state(state, **({"reason": reason} if reason else {}))
        self.tracker.finish(status)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Adds the time of what is inside to the stage `what`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - start

    def finished(self) -> None:
        """The state of a job that came to its end."""
        self.folder.set_state("finished", seconds=round(self.seconds["in all"], 2))

    def costs(self) -> list[tuple[str, str]]:
        """Time and memory so far, in words."""
        self.seconds["in all"] = time.perf_counter() - self._start
        slowest = sorted(((value, name) for name, value in self.seconds.items() if name != "in all"), reverse=True)[:3]
        parts = ", ".join(f"{name} {value:.1f} s" for value, name in slowest)
        scoring = scoring_share(self.seconds)
        parts += f"; scoring {scoring:.0%}" if scoring else ""
        taken = f"; {len(self.store.taken)} taken from the cache" if self.store.taken else ""
        gpu = f", {gpu_peak_bytes() / 2**30:.1f} GiB on the GPU" if gpu_peak_bytes() else ""
        memory = f"{peak_bytes() / 2**30:.1f} GiB at the peak{gpu}"
        return [("time", f"{self.seconds['in all']:.1f} s ({parts}){taken}"), ("memory", memory)]

    def places(self) -> dict[str, str]:
        """Where a reader finds the rest."""
        places = {"report": str(self.folder.report), "log": str(self.folder.log)}
        if not self.trial and self.sentence.tracker.kind == "mlflow":
            uri = redacted(self.sentence.tracker.uri)
            places["tracking"] = f"{uri} (make ui, or mlflow ui --backend-store-uri {uri})"
        return places

    def add_to_ledger(self, cells: Mapping[str, str]) -> None:
        """One line with `cells`, however often an attempt comes to its end; a trial has none."""
        if not self.trial:
            when = ended_at(self.folder)
            ledger.append(LEDGER, {"when": when, "run": self.folder.name, "command": self.command, **cells})


def tracked_as(folder: RunFolder, sentence: Sentence, command: str) -> tuple[dict[str, str], dict[str, object]]:
    """(tags, parameters) of the run in the tracking. The folder must name its attempt."""
    tags = {
        "stbench.job": sentence.job.kind,
        "stbench.command": command,
        "stbench.folder": str(folder.path),
        ATTEMPT: folder.read("status.json")["attempt"],
    }
    if parent := os.environ.get(PARENT_VARIABLE):
        tags[PARENT] = parent
    return tags, _flat(meaning(sentence))


def peak_bytes() -> int:
    """The most memory this process has held."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def gpu_peak_bytes() -> int:
    """The most memory of a GPU that this process has held; 0 where none was used."""
    torch = sys.modules.get("torch")
    return int(torch.cuda.max_memory_allocated()) if torch and torch.cuda.is_available() else 0


def environment() -> dict[str, str]:
    """Versions and machine, for whoever repeats the run."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
        **{name: version(name) for name in PACKAGES},
    }


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat
