"""A stand-in for the Hugging Face Hub: one repository out of a folder, over plain HTTP on this machine."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0ff"
FILE = re.compile(r"^/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)$")
API = re.compile(r"^/api/models/(?P<repo>[^/]+/[^/]+)(?P<rest>/.*)?$")


@contextmanager
def serving(repo: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serves `folder` as `repo`; yields (address, log of what was asked: "METHOD path status")."""
    asked: list[str] = []
    handler = type("Handler", (_Handler,), {"repo": repo, "folder": folder, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repo: str
    folder: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._missing("EntryNotFound", body=True)

    def _answer(self, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        if (found := FILE.match(path)) and found["repo"] == self.repo:
            self._file(self.folder / found["file"], body)
        elif (found := API.match(path)) and found["repo"] == self.repo:
            self._api(found["rest"] or "", body)
        else:
            self._missing("RepoNotFound", body)

    def _file(self, file: Path, body: bool) -> None:
        if not file.is_file():
            return self._missing("EntryNotFound", body)
        content = file.read_bytes()
        status, part, more = 200, content, {}
        if wanted := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, end = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
            status, part = 206, content[start : end + 1]
            more["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        etag = hashlib.sha1(content).hexdigest()
        self._send(status, part, body, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes", **more})

    def _api(self, rest: str, body: bool) -> None:
        files = sorted(file for file in self.folder.rglob("*") if file.is_file())
        names = [file.relative_to(self.folder).as_posix() for file in files]
        if rest.startswith("/tree/"):
            folder = rest.split("/", 3)[3] if rest.count("/") > 2 else ""
            inside = [(file, name) for file, name in zip(files, names, strict=True) if name.startswith(folder)]
            if folder and not inside:
                return self._missing("EntryNotFound", body)
            answer: Any = [
                {
                    "type": "file",
                    "path": name,
                    "size": file.stat().st_size,
                    "oid": hashlib.sha1(file.read_bytes()).hexdigest(),
                }
                for file, name in inside
            ]
        elif rest == "" or rest.startswith("/revision/"):
            answer = {"_id": "1", "id": self.repo, "modelId": self.repo, "sha": COMMIT, "private": False, "tags": []}
            answer["siblings"] = [{"rfilename": name} for name in names]
        else:
            return self._missing("EntryNotFound", body)
        self._send(200, json.dumps(answer).encode(), body, {"Content-Type": "application/json"})
        return None

    def _missing(self, code: str, body: bool) -> None:
        self._send(404, b"{}", body, {"X-Error-Code": code})

    def _send(self, status: int, content: bytes, body: bool, headers: dict[str, str]) -> None:
        self.asked.append(f"{self.command} {self.path} {status}")
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass
