"""A stand-in for the Hugging Face Hub: one repository of a model or a data set out of a folder, over plain HTTP on this machine."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0ff"
FILE = re.compile(r"^/(?P<kind>datasets/)?(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)$")
API = re.compile(r"^/api/(?P<kind>models|datasets)/(?P<repo>[^/]+/[^/]+)(?P<rest>/.*)?$")


@dataclass
class Repository:
    """What the Hub has; whoever may not see it is answered with `code` and `status`."""

    name: str
    folder: Path
    kind: Literal["models", "datasets"] = "models"
    commit: str = COMMIT
    closed: tuple[int, str] | None = None


@contextmanager
def serving(*repositories: Repository) -> Iterator[tuple[str, list[str]]]:
    """Serves `repositories`; yields (address, log of what was asked: "METHOD path status")."""
    asked: list[str] = []
    handler = type("Handler", (_Handler,), {"repositories": repositories, "asked": asked})
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
    repositories: tuple[Repository, ...]
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        if (found := API.match(path)) and (repo := self._known(found["kind"], found["repo"])):
            if (found["rest"] or "").startswith("/paths-info/"):
                return self._json(self._paths(repo, content), body=True)
        return self._missing("EntryNotFound", body=True)

    def _answer(self, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == "/":
            return self._send(200, b"", body, {})
        if path in ("/api/models", "/api/datasets"):
            wanted = parse_qs(urlsplit(self.path).query).get("search", [""])[0]
            known = [{"_id": "1", "id": repo.name} for repo in self.repositories if wanted in repo.name]
            return self._json(known, body)
        if found := FILE.match(path):
            kind = "datasets" if found["kind"] else "models"
            repo = self._known(kind, found["repo"])
            return self._file(repo, found, body) if repo else self._missing("RepoNotFound", body)
        if found := API.match(path):
            repo = self._known(found["kind"], found["repo"])
            return self._api(repo, found["rest"] or "", body) if repo else self._missing("RepoNotFound", body)
        return self._missing("RepoNotFound", body)

    def _known(self, kind: str, name: str) -> Repository | None:
        return next((repo for repo in self.repositories if (repo.kind, repo.name) == (kind, name)), None)

    def _file(self, repo: Repository, found: re.Match[str], body: bool) -> None:
        if repo.closed:
            return self._missing(repo.closed[1], body, repo.closed[0])
        if found["revision"] not in ("main", repo.commit):
            return self._missing("RevisionNotFound", body)
        file = repo.folder / found["file"]
        if not file.is_file():
            return self._missing("EntryNotFound", body, commit=repo.commit)
        content = file.read_bytes()
        status, part, more = 200, content, {}
        if wanted := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, end = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
            status, part = 206, content[start : end + 1]
            more["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        etag = hashlib.sha1(content).hexdigest()
        own = {"ETag": f'"{etag}"', "X-Repo-Commit": repo.commit, "Accept-Ranges": "bytes"}
        return self._send(status, part, body, {**own, **more})

    def _api(self, repo: Repository, rest: str, body: bool) -> None:
        _, what, revision, *inner = [*rest.split("/", 3), "", ""][:4]
        if repo.closed and repo.closed[1] != "GatedRepo":
            return self._missing(repo.closed[1], body, repo.closed[0])
        if what == "refs":
            refs = [{"name": "main", "ref": "refs/heads/main", "targetCommit": repo.commit}]
            return self._json({"branches": refs, "tags": [], "converts": []}, body)
        if what in ("tree", "revision") and revision not in ("main", repo.commit):
            return self._missing("RevisionNotFound", body)
        if what == "tree":
            recursive = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() == "true"
            inside = self._tree(repo, inner[0], recursive)
            return self._json(inside, body) if inside else self._missing("EntryNotFound", body)
        if what in ("", "revision"):
            about = {"_id": "1", "id": repo.name, "modelId": repo.name, "sha": repo.commit, "private": False, "tags": []}
            return self._json({**about, "siblings": [{"rfilename": item["path"]} for item in self._listed(repo)]}, body)
        return self._missing("EntryNotFound", body)

    def _tree(self, repo: Repository, folder: str, recursive: bool) -> list[dict[str, Any]]:
        prefix = f"{folder}/" if folder else ""
        inside = [item for item in self._listed(repo) if item["path"].startswith(prefix)]
        if recursive:
            return inside
        deeper = {item["path"][len(prefix) :].split("/")[0] for item in inside if "/" in item["path"][len(prefix) :]}
        folders = [{"type": "directory", "path": prefix + name, "oid": "0" * 40, "size": 0} for name in sorted(deeper)]
        return [*folders, *(item for item in inside if "/" not in item["path"][len(prefix) :])]

    def _listed(self, repo: Repository) -> list[dict[str, Any]]:
        files = sorted(file for file in repo.folder.rglob("*") if file.is_file())
        return [
            {
                "type": "file", "path": file.relative_to(repo.folder).as_posix(), "size": file.stat().st_size,
                "oid": hashlib.sha1(file.read_bytes()).hexdigest(),
            }
            for file in files
        ]  # fmt: skip

    def _paths(self, repo: Repository, content: bytes) -> list[dict[str, Any]]:
        text = content.decode()
        wanted = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text).get("paths", [])
        folders = {"type": "directory", "oid": "0" * 40}
        found = []
        for path in [wanted] if isinstance(wanted, str) else wanted:
            files = [item for item in self._listed(repo) if item["path"] == path]
            inside = any(item["path"].startswith(f"{path}/") for item in self._listed(repo))
            found += files or ([{**folders, "path": path}] if inside else [])
        return found

    def _json(self, answer: Any, body: bool) -> None:
        self._send(200, json.dumps(answer).encode(), body, {"Content-Type": "application/json"})

    def _missing(self, code: str, body: bool, status: int = 404, commit: str | None = None) -> None:
        self._send(status, b"{}", body, {"X-Error-Code": code, **({"X-Repo-Commit": commit} if commit else {})})

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
