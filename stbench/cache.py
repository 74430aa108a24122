"""The content-addressed store: what was costly to make is made once, whoever asks for it.

A product is a folder `<store>/<kind>/<key>`, its key the digest of everything that could change it. It is
built aside and renamed into place, so a folder that is there is finished. `<store>/.making` holds what is
being made or thrown away, and the lock of each key in work: a workspace whose lock is free has lost its
process and is swept.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from stbench.errors import Problem, Refused

Mode = Literal["on", "off", "refresh"]

_MAKING = ".making"
_TAG = "CACHEDIR.TAG"
_TAG_SIGNATURE = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by stbench: may be deleted at any time.\n"
_SETTLED_NS = 2 * 10**9


def cache_folder() -> Path:
    """Where the store lives: $STBENCH_CACHE, else $XDG_CACHE_HOME/stbench, else ~/.cache/stbench."""
    if chosen := os.environ.get("STBENCH_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "stbench"


def key_of(*parts: object) -> str:
    """40 hex digits that stand for `parts`, built from None, bool, int, float, str, lists, tuples and dicts.

    The order of a dict does not matter, a list equals a tuple, and 1, 1.0, True and "1" all differ.
    Raises TypeError for anything else; a path is refused because its content may change under the same name.
    """
    text = json.dumps([_canonical(part) for part in parts], sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _canonical(part: object) -> object:
    match part:
        case None | bool() | int() | float() | str():
            return part
        case list() | tuple():
            return [_canonical(item) for item in part]
        case dict() if all(isinstance(name, str) for name in part):
            return {name: _canonical(value) for name, value in part.items()}
        case os.PathLike():
            raise TypeError(f"a path is not content, use digest_of: {part}")
    raise TypeError(f"no canonical form for {type(part).__name__}: {part!r}")


def digest_of(path: Path) -> str:
    """32 hex digits (XXH3-128) of the content of a file, or of a folder: relative names and contents.

    Whatever is in a folder counts, hidden files and empty folders too, links by what they lead to; its own
    name, times and permissions do not. A process reads a file again only when its size or time has changed.
    Raises FileNotFoundError if there is nothing at `path`.
    """
    if path.is_dir():
        return _folder_digest(path)
    return _file_digest(path)


def _folder_digest(folder: Path) -> str:
    import xxhash

    digest = xxhash.xxh3_128()
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        digest.update(os.fsencode(entry.name) + b"\0" + _entry_digest(entry).encode() + b"\n")
    return digest.hexdigest()


def _entry_digest(entry: Path) -> str:
    if entry.is_symlink() and not entry.exists():
        return f"link {os.readlink(entry)}"
    return f"{'folder' if entry.is_dir() else 'file'} {digest_of(entry)}"


def _file_digest(file: Path) -> str:
    status = file.stat()
    # A file written a moment ago can change again within the clock's tick, with the same time and size.
    if time.time_ns() - status.st_mtime_ns < _SETTLED_NS:
        return _read_digest(str(file))
    return _settled_digest(str(file.resolve()), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=65536)
def _settled_digest(file: str, _size: int, _mtime_ns: int) -> str:
    return _read_digest(file)


def _read_digest(file: str) -> str:
    import xxhash

    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, xxhash.xxh3_128).hexdigest()


class Store:
    """One run's view of the store in `folder`; any number of processes may use that folder at the same time.

    `mode` "on" takes what is there and makes what is missing; "refresh" makes everything anew, once an
    instance; "off" uses a private folder that goes when the process ends. `limit_bytes` bounds the finished
    products: the least recently used go first, but nothing that this instance has handed out.
    """

    def __init__(self, folder: Path, mode: Mode, limit_bytes: int = 10 * 1024**3) -> None:
        self.taken: list[str] = []
        """What was there already, as `kind/key[:8]`, in the order of first use."""
        self.made: list[str] = []
        """What had to be made, likewise."""
        self._folder = folder
        self._mode = mode
        self._limit_bytes = limit_bytes
        self._handed_out: set[Path] = set()

    def product(self, kind: str, key: str, build: Callable[[Path], None]) -> Path:
        """The folder of a finished product, to be read only; `build` fills an empty one if there is none.

        Of several processes that want the same product at once, one builds and the others wait for it.
        An exception out of `build` passes through and leaves nothing behind.
        Raises Refused if the store's folder cannot be written.
        """
        place = self._root / kind / key
        if self._is_ready(place):
            return self._take(place)
        with _locked(_lock_of(place)):
            # Another process may have finished it while this one waited.
            if self._is_ready(place):
                return self._take(place)
            _make(place, build)
            self._handed_out.add(place)
        self.made.append(_label(place))
        self._evict()
        return place

    @cached_property
    def _root(self) -> Path:
        root = _private_folder() if self._mode == "off" else self._folder.expanduser().absolute()
        _prepare(root)
        _sweep(root / _MAKING)
        return root

    def _is_ready(self, place: Path) -> bool:
        outdated = self._mode == "refresh" and place not in self._handed_out
        return not outdated and _mark_used(place)

    def _take(self, place: Path) -> Path:
        if place not in self._handed_out:
            self._handed_out.add(place)
            self.taken.append(_label(place))
        return place

    def _evict(self) -> None:
        products = sorted(_products(self._root))
        excess = sum(product.size for product in products) - self._limit_bytes
        for product in products:
            if excess <= 0:
                return
            if product.place not in self._handed_out and _discard(product):
                excess -= product.size


class _Product(NamedTuple):
    """One finished product; sorts by last use."""

    used_ns: int
    size: int
    place: Path


def _label(place: Path) -> str:
    return f"{place.parent.name}/{place.name[:8]}"


def _private_folder() -> Path:
    # Not atexit, which worker processes of multiprocessing never run.
    from multiprocessing.util import Finalize

    folder = Path(tempfile.mkdtemp(prefix="stbench-"))
    Finalize(None, shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True}, exitpriority=0)
    return folder


def _prepare(root: Path) -> None:
    making = root / _MAKING
    try:
        making.mkdir(parents=True, exist_ok=True)
        writable = os.access(making, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        mend = "set STBENCH_CACHE to a folder that you can write, or say cache=off"
        raise Refused(Problem("the cache cannot be written", where=str(root), mend=mend))


def _lock_of(place: Path) -> Path:
    return place.parents[1] / _MAKING / f"{place.parent.name}-{place.name}.lock"


@contextmanager
def _locked(lock: Path, timeout: float = -1) -> Iterator[None]:
    from filelock import FileLock

    with FileLock(lock, timeout=timeout):
        try:
            yield
        finally:
            # filelock notices when the file that it has just locked is gone, and starts over.
            with suppress(OSError):
                lock.unlink()


@contextmanager
def _workspace(place: Path) -> Iterator[Path]:
    """A folder on the store's own disk, gone afterwards, whose name tells the lock that guards it."""
    folder = _lock_of(place).with_suffix(f".{uuid.uuid4().hex}")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(making: Path) -> None:
    """Remove the workspaces of processes that were killed; the kernel has freed their locks."""
    for leftover in making.iterdir():
        if leftover.suffix != ".lock":
            # A lock that is taken times out, which is an OSError too.
            with suppress(OSError), _locked(leftover.with_suffix(".lock"), timeout=0):
                shutil.rmtree(leftover, ignore_errors=True)


def _make(place: Path, build: Callable[[Path], None]) -> None:
    with _workspace(place) as workspace:
        fresh = workspace / "fresh"
        fresh.mkdir()
        build(fresh)
        _mark_used(fresh)
        _make_kind(place.parent)
        with suppress(FileNotFoundError):
            place.rename(workspace / "replaced")
        fresh.rename(place)


def _make_kind(folder: Path) -> None:
    with suppress(FileExistsError):
        folder.mkdir()
        (folder / _TAG).write_text(_TAG_SIGNATURE)


def _mark_used(place: Path) -> bool:
    """Make `place` the most recently used; False if it is not there."""
    now = time.time_ns()
    try:
        os.utime(place, ns=(now, now))
    except FileNotFoundError:
        return False
    except PermissionError:
        return place.is_dir()
    return True


def _products(root: Path) -> Iterator[_Product]:
    # Only folders with our tag: somebody may keep the store in a folder that holds other things as well.
    for tag in root.glob(f"*/{_TAG}"):
        for place in tag.parent.iterdir():
            if place.is_dir() and (product := _measured(place)):
                yield product


def _measured(place: Path) -> _Product | None:
    """None if another process discards it meanwhile."""
    try:
        files = [os.path.join(parent, name) for parent, _, names in os.walk(place) for name in names]
        return _Product(place.stat().st_mtime_ns, sum(os.lstat(file).st_size for file in files), place)
    except FileNotFoundError:
        return None


def _discard(product: _Product) -> bool:
    """Remove a product at one stroke; False if somebody uses it, has begun to, or does not let us."""
    place = product.place
    try:
        with _locked(_lock_of(place), timeout=0), _workspace(place) as workspace:
            if place.stat().st_mtime_ns != product.used_ns:
                return False
            place.rename(workspace / "discarded")
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
