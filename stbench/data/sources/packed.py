"""Packed files (gzip, bzip2, Zstandard), unpacked once into the store."""

from __future__ import annotations

import shutil
from pathlib import Path

from stbench.cache import Store, digest_of, key_of
from stbench.errors import Problem, Refused

PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


def unpacked(file: Path, store: Store) -> Path:
    """`file` itself, or what is packed in it.

    Raises `Refused` when it cannot be unpacked.
    """
    if file.suffix not in PACKED:
        return file
    place = store.product("unpacked", key_of(digest_of(file), file.stem), lambda folder: _unpack(file, folder))
    return place / file.stem


def _unpack(file: Path, folder: Path) -> None:
    import pyarrow

    try:
        with (
            pyarrow.input_stream(str(file), compression=PACKED[file.suffix]) as packed,
            (folder / file.stem).open("wb") as stream,
        ):
            shutil.copyfileobj(packed, stream, 2**20)
    except OSError as error:
        cause = str(error).splitlines()[0]
        raise Refused(Problem(f"this cannot be unpacked: {cause}", str(file), "copy or download it anew")) from None
