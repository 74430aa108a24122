from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import stbench
from stbench import cache
from stbench.cache import Store, cache_folder, digest_of, key_of
from stbench.errors import Refused

LONG_AGO_NS = 10**18
KEYS = [key_of(number) for number in range(4)]

# Waits for a line before it starts, so that all workers start at the same moment.
WORKER = """
import sys, time
from pathlib import Path
from stbench.cache import Store

folder, mode, key, witness, seconds = sys.argv[1:]

def build(product):
    with open(witness, "a") as stream:
        stream.write("built\\n")
    (product / "first").write_text("x" * 1000)
    print("building", flush=True)
    time.sleep(float(seconds))
    (product / "second").write_text("x" * 1000)

store = Store(Path(folder), mode)
print("ready", flush=True)
sys.stdin.readline()
product = store.product("scores", key, build)
assert sorted(file.stat().st_size for file in product.iterdir()) == [1000, 1000]
print(product, len(store.made), len(store.taken), flush=True)
"""


def run_python(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(stbench.__file__).parents[1])},
    )


def start(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def killed_builder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of building KEYS[0]; whatever the test does, it is dead afterwards."""
    process = run_python(WORKER, tmp_path / "store", "on", KEYS[0], tmp_path / "witness", 60)
    start(process)
    assert [next_line(process), next_line(process)] == ["ready", "building"]
    yield process
    process.kill()
    process.communicate()


def writes(text: str) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        (folder / "text").write_text(text)

    return build


def never(folder: Path) -> None:
    raise AssertionError(f"built {folder} although it was there")


def contents(folder: Path, *kinds: str) -> list[str]:
    return sorted(place.name for kind in kinds for place in (folder / kind).iterdir() if place.is_dir())


def in_work(folder: Path) -> list[str]:
    return sorted(entry.name for entry in (folder / ".making").iterdir())


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"STBENCH_CACHE": "/a/b", "XDG_CACHE_HOME": "/c"}, "/a/b"),
        ({"STBENCH_CACHE": "~/mine"}, "/home/me/mine"),
        ({"STBENCH_CACHE": "", "XDG_CACHE_HOME": "/c"}, "/c/stbench"),
        ({"XDG_CACHE_HOME": ""}, "/home/me/.cache/stbench"),
        ({}, "/home/me/.cache/stbench"),
    ],
)
def test_cache_folder(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str) -> None:
    for name in ("STBENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


def test_keys_of_different_parts_differ() -> None:
    parts: list[tuple[object, ...]] = [
        (),
        (None,),
        (1,),
        ("1",),
        (1.0,),
        (True,),
        ("True",),
        ([1],),
        (["ab"],),
        ("ab",),
        ("a", "b"),
        (["a", "b"],),
        ({"a": "b"},),
        ({},),
        ([],),
        ("",),
        ("é",),
        ("\\u00e9",),
    ]
    for one, other in itertools.combinations(parts, 2):
        assert key_of(*one) != key_of(*other), (one, other)


def test_keys_ignore_the_order_of_dicts_and_last_beyond_the_process() -> None:
    assert key_of({"a": 1, "b": {"c": 2, "d": 3}}) == key_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert key_of((1, [2])) == key_of([1, (2,)])
    assert key_of("é", 1, 0.1, None, {"b": [True]}) == "98c01c37fdc3e0758481cfe3292069e9af5d308d"


@pytest.mark.parametrize("part", [Path("a"), {1: "a"}, {"a": {2}}, b"a", object(), [Path("a")]])
def test_what_has_no_canonical_form_is_no_part_of_a_key(part: object) -> None:
    with pytest.raises(TypeError):
        key_of(part)


def test_the_digest_of_a_file_is_its_content(tmp_path: Path) -> None:
    for name, text in {"a": "one", "b": "one", "c": "two"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b") == digest_of(tmp_path / "link")
    assert digest_of(tmp_path / "a") != digest_of(tmp_path / "c")
    with pytest.raises(FileNotFoundError):
        digest_of(tmp_path / "missing")


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_the_digest_of_a_folder_is_its_names_and_contents(tmp_path: Path) -> None:
    files = {"config.json": "{}", "layers/0/weights": "w"}
    original = digest_of(tree(tmp_path / "original", files))
    assert digest_of(tree(tmp_path / "copy", dict(reversed(files.items())))) == original
    changes: list[dict[str, str]] = [
        {**files, ".hidden": ""},
        {**files, "config.json": "{ }"},
        {"config.json": "{}", "layers/1/weights": "w"},
        {"config.json": "w", "layers/0/weights": "{}"},
        {"config.json": "{}"},
    ]
    digests = {digest_of(tree(tmp_path / str(number), change)) for number, change in enumerate(changes)}
    assert len(digests | {original}) == len(changes) + 1
    (tmp_path / "copy" / "empty").mkdir()
    assert digest_of(tmp_path / "copy") != original


def test_a_folder_of_links_has_the_digest_of_what_they_lead_to(tmp_path: Path) -> None:
    plain = tree(tmp_path / "plain", {"weights": "w", "pooling/config": "c"})
    blobs = tree(tmp_path / "blobs", {"1": "w", "2/config": "c"})
    linked = tree(tmp_path / "linked", {})
    linked.mkdir()
    (linked / "weights").symlink_to(blobs / "1")
    (linked / "pooling").symlink_to(blobs / "2")
    assert digest_of(linked) == digest_of(plain)
    (linked / "dangling").symlink_to("nowhere")
    with_dangling = digest_of(linked)
    assert with_dangling != digest_of(plain)
    (linked / "dangling").unlink()
    (linked / "dangling").symlink_to("elsewhere")
    assert digest_of(linked) != with_dangling


def test_a_settled_file_is_read_once_and_a_changed_one_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights"
    reads: list[str] = []
    read = cache._read_digest

    def counted(name: str) -> str:
        reads.append(name)
        return read(name)

    monkeypatch.setattr(cache, "_read_digest", counted)
    file.write_text("one")
    os.utime(file, ns=(LONG_AGO_NS, LONG_AGO_NS))
    before = digest_of(file)
    assert digest_of(file) == before
    assert len(reads) == 1
    file.write_text("two")
    os.utime(file, ns=(LONG_AGO_NS, LONG_AGO_NS + 1))
    assert digest_of(file) != before


def test_a_file_of_this_moment_is_not_trusted_to_its_time(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    now = time.time_ns()
    digests = set()
    for text in ("one", "two"):
        file.write_text(text)
        os.utime(file, ns=(now, now))
        digests.add(digest_of(file))
    assert len(digests) == 2


def test_a_product_is_made_once_and_taken_afterwards(tmp_path: Path) -> None:
    first, second = Store(tmp_path, "on"), Store(tmp_path, "on")
    made = first.product("scores", KEYS[0], writes("a"))
    assert made == tmp_path / "scores" / KEYS[0]
    assert first.product("scores", KEYS[0], never) == made
    assert second.product("scores", KEYS[0], never) == made
    assert second.product("mined", KEYS[0], writes("b")).joinpath("text").read_text() == "b"
    assert made.joinpath("text").read_text() == "a"
    assert (first.taken, first.made) == ([], [f"scores/{KEYS[0][:8]}"])
    assert (second.taken, second.made) == ([f"scores/{KEYS[0][:8]}"], [f"mined/{KEYS[0][:8]}"])
    assert in_work(tmp_path) == []


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise KeyboardInterrupt

    store = Store(tmp_path, "on")
    with pytest.raises(KeyboardInterrupt):
        store.product("scores", KEYS[0], fails)
    assert in_work(tmp_path) == []
    assert not (tmp_path / "scores").exists()
    assert store.made == []
    assert [file.name for file in store.product("scores", KEYS[0], writes("a")).iterdir()] == ["text"]


def test_a_product_may_need_another_one(tmp_path: Path) -> None:
    store = Store(tmp_path, "on")

    def build(folder: Path) -> None:
        inner = Store(tmp_path, "on").product("inner", KEYS[0], writes("a"))
        (folder / "text").write_text(inner.joinpath("text").read_text() * 2)

    assert store.product("outer", KEYS[0], build).joinpath("text").read_text() == "aa"


def test_refresh_makes_anew_once_while_others_still_read_the_old_one(tmp_path: Path) -> None:
    old = Store(tmp_path, "on").product("scores", KEYS[0], writes("old"))

    def build(folder: Path) -> None:
        reader = Store(tmp_path, "on").product("scores", KEYS[0], never)
        assert reader.joinpath("text").read_text() == "old"
        writes("new")(folder)

    store = Store(tmp_path, "refresh")
    assert store.product("scores", KEYS[0], build) == old
    assert store.product("scores", KEYS[0], never).joinpath("text").read_text() == "new"
    assert (store.taken, store.made) == ([], [f"scores/{KEYS[0][:8]}"])
    assert in_work(tmp_path) == []


def test_a_refresh_that_fails_keeps_the_old_product(tmp_path: Path) -> None:
    old = Store(tmp_path, "on").product("scores", KEYS[0], writes("old"))
    with pytest.raises(AssertionError):
        Store(tmp_path, "refresh").product("scores", KEYS[0], never)
    assert old.joinpath("text").read_text() == "old"


def test_off_neither_reads_nor_writes_the_store(tmp_path: Path) -> None:
    Store(tmp_path, "on").product("scores", KEYS[0], writes("stored"))
    before = digest_of(tmp_path)
    store = Store(tmp_path, "off")
    place = store.product("scores", KEYS[0], writes("private"))
    assert place.joinpath("text").read_text() == "private"
    assert store.product("scores", KEYS[0], never) == place
    assert not place.is_relative_to(tmp_path)
    assert digest_of(tmp_path) == before
    assert len(store.made) == 1


PRIVATE = """
import multiprocessing, sys
from pathlib import Path
from stbench.cache import Store

def work():
    place = Store(Path("unused"), "off").product("scores", "a" * 40, lambda folder: (folder / "x").touch())
    print(place, (place / "x").exists(), flush=True)

if sys.argv[1] == "main":
    work()
else:
    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    worker.join()
"""


@pytest.mark.parametrize("process", ["main", "child"])
def test_what_off_made_goes_when_the_process_ends(process: str) -> None:
    place, existed = run_python(PRIVATE, process).communicate()[0].split()
    assert existed == "True"
    assert not Path(place).parents[1].exists()


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    for key in KEYS[:3]:
        Store(tmp_path, "on").product("scores", key, writes("x" * 1000))
    Store(tmp_path, "on").product("scores", KEYS[0], never)
    Store(tmp_path, "on", limit_bytes=2999).product("mined", KEYS[3], writes("x" * 1000))
    assert contents(tmp_path, "scores", "mined") == sorted([KEYS[0], KEYS[3]])
    assert in_work(tmp_path) == []


def test_what_was_handed_out_stays_however_large(tmp_path: Path) -> None:
    Store(tmp_path, "on").product("scores", KEYS[0], writes("x" * 1000))
    Store(tmp_path, "on").product("scores", KEYS[1], writes("x" * 1000))
    store = Store(tmp_path, "on", limit_bytes=1)
    store.product("scores", KEYS[0], never)
    store.product("scores", KEYS[2], writes("x" * 1000))
    assert contents(tmp_path, "scores") == sorted([KEYS[0], KEYS[2]])


def test_folders_that_the_store_did_not_make_are_never_evicted(tmp_path: Path) -> None:
    tree(tmp_path, {"holiday/2024/picture": "x" * 5000, "scores/own/notes": "x" * 5000})
    store = Store(tmp_path, "on", limit_bytes=1)
    store.product("scores", KEYS[0], writes("a"))
    store.product("mined", KEYS[0], writes("a"))
    assert (tmp_path / "holiday/2024/picture").exists()
    assert (tmp_path / "scores/own/notes").exists()


def test_a_product_taken_while_eviction_counts_is_spared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Store(tmp_path, "on").product("scores", KEYS[0], writes("x" * 1000))
    counted = cache._products

    def taken_meanwhile(root: Path) -> list[object]:
        products: list[object] = list(counted(root))
        Store(tmp_path, "on").product("scores", KEYS[0], never)
        return products

    monkeypatch.setattr(cache, "_products", taken_meanwhile)
    Store(tmp_path, "on", limit_bytes=1).product("scores", KEYS[1], writes("a"))
    assert place.joinpath("text").exists()


def test_a_store_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Refused, match="cache=off"):
        Store(tmp_path / "file", "on").product("scores", KEYS[0], never)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(Refused, match="STBENCH_CACHE"):
        Store(tmp_path / "folder", "on").product("scores", KEYS[0], never)


def test_a_store_emptied_by_hand_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "on")
    place = store.product("scores", KEYS[0], writes("a"))
    shutil.rmtree(tmp_path / "store")
    assert store.product("scores", KEYS[0], writes("b")) == place
    assert place.joinpath("text").read_text() == "b"


def test_eight_processes_that_want_the_same_product_build_it_once(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    workers = [run_python(WORKER, tmp_path / "store", "on", KEYS[0], witness, 0.3) for _ in range(8)]
    assert {next_line(worker) for worker in workers} == {"ready"}
    for worker in workers:
        start(worker)
    outputs = [worker.communicate()[0].splitlines()[-1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8
    assert witness.read_text() == "built\n"
    place = tmp_path / "store" / "scores" / KEYS[0]
    assert sorted(outputs) == [f"{place} 0 1"] * 7 + [f"{place} 1 0"]
    assert in_work(tmp_path / "store") == []


def test_what_a_killed_process_left_is_swept_and_built_again(
    tmp_path: Path, killed_builder: subprocess.Popen[str]
) -> None:
    killed_builder.kill()
    killed_builder.wait()
    (leftover,) = [name for name in in_work(tmp_path / "store") if not name.endswith(".lock")]
    place = Store(tmp_path / "store", "on").product("scores", KEYS[0], writes("whole"))
    assert [file.name for file in place.iterdir()] == ["text"]
    assert leftover.startswith("scores-")
    assert in_work(tmp_path / "store") == []


def test_any_later_use_sweeps_what_a_killed_process_left_but_nothing_alive(
    tmp_path: Path, killed_builder: subprocess.Popen[str]
) -> None:
    Store(tmp_path / "store", "on").product("scores", KEYS[1], writes("a"))
    assert len(in_work(tmp_path / "store")) == 2
    killed_builder.kill()
    killed_builder.wait()
    Store(tmp_path / "store", "on").product("scores", KEYS[1], never)
    assert in_work(tmp_path / "store") == []


def test_eviction_and_building_at_once_in_several_processes(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from stbench.cache import Store, key_of
for number in range(40):
    store = Store(Path(sys.argv[1]), "on", limit_bytes=5000)
    store.product("scores", key_of(number % 8), lambda folder: (folder / "x").write_text("x" * 1000))
"""
    workers = [run_python(script, tmp_path) for _ in range(4)]
    for worker in workers:
        worker.communicate()
    assert [worker.returncode for worker in workers] == [0] * 4
    assert all((tmp_path / "scores" / key / "x").stat().st_size == 1000 for key in contents(tmp_path, "scores"))
    assert in_work(tmp_path) == []
