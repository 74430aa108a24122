"""A stand-in for the Hugging Face Hub: one repository of a model or a data set out of a folder, over plain HTTP on this machine."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0ff"
REVISION = r"(?P<revision>refs/convert/parquet|[^/]+)"
FILE = re.compile(rf"^/(?P<kind>datasets/)?(?P<repo>[^/]+/[^/]+)/resolve/{REVISION}/(?P<file>.+)$")
PATHS = re.compile(rf"^/paths-info/{REVISION}$")
LISTED = re.compile(rf"^/(?P<what>tree|revision)/{REVISION}(?:/(?P<folder>.+))?$")
API = re.compile(r"^/api/(?P<kind>models|datasets)/(?P<repo>[^/]+/[^/]+)(?P<rest>/.*)?$")


@dataclass
class Repository:
    """What the Hub has; whoever may not see it is answered with `code` and `status`."""

    name: str
    folder: Path
    kind: Literal["models", "datasets"] = "models"
    commit: str = COMMIT
    closed: tuple[int, str] | None = None
    branches: Mapping[str, tuple[str, Path]] = field(default_factory=dict)
    """Other revisions than main, each with its commit and its folder."""

    def at(self, revision: str) -> tuple[str, Path] | None:
        """Commit and folder of a revision."""
        known = {"main": (self.commit, self.folder), **self.branches}
        by_commit = {commit: (commit, folder) for commit, folder in known.values()}
        return known.get(revision) or by_commit.get(revision)


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
        found = API.match(path)
        repo = self._known(found["kind"], found["repo"]) if found else None
        place = PATHS.match((found and found["rest"]) or "")
        if repo and place and (at := repo.at(place["revision"])):
            return self._json(self._paths(at[1], content), body=True)
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
        at = repo.at(found["revision"])
        if at is None:
            return self._missing("RevisionNotFound", body)
        commit, file = at[0], at[1] / found["file"]
        if not file.is_file():
            return self._missing("EntryNotFound", body, commit=commit)
        content = file.read_bytes()
        status, part, more = 200, content, {}
        if wanted := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, end = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
            status, part = 206, content[start : end + 1]
            more["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        etag = hashlib.sha1(content).hexdigest()
        own = {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        return self._send(status, part, body, {**own, **more})

    def _api(self, repo: Repository, rest: str, body: bool) -> None:
        if repo.closed and repo.closed[1] != "GatedRepo":
            return self._missing(repo.closed[1], body, repo.closed[0])
        if rest == "/refs":
            refs = [{"name": "main", "ref": "refs/heads/main", "targetCommit": repo.commit}]
            return self._json({"branches": refs, "tags": [], "converts": []}, body)
        listed = LISTED.match(rest)
        at = repo.at(listed["revision"] if listed else "main")
        if at is None:
            return self._missing("RevisionNotFound", body)
        if listed and listed["what"] == "tree":
            recursive = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() == "true"
            inside = self._tree(at[1], listed["folder"] or "", recursive)
            return self._json(inside, body) if inside else self._missing("EntryNotFound", body)
        if listed or not rest:
            about = {"_id": "1", "id": repo.name, "modelId": repo.name, "sha": at[0], "private": False, "tags": []}
            files = [{"rfilename": item["path"]} for item in self._listed(at[1])]
            return self._json({**about, "siblings": files}, body)
        return self._missing("EntryNotFound", body)

    def _tree(self, root: Path, folder: str, recursive: bool) -> list[dict[str, Any]]:
        prefix = f"{folder}/" if folder else ""
        inside = [item for item in self._listed(root) if item["path"].startswith(prefix)]
        if recursive:
            return inside
        deeper = {item["path"][len(prefix) :].split("/")[0] for item in inside if "/" in item["path"][len(prefix) :]}
        folders = [{"type": "directory", "path": prefix + name, "oid": "0" * 40, "size": 0} for name in sorted(deeper)]
        return [*folders, *(item for item in inside if "/" not in item["path"][len(prefix) :])]

    def _listed(self, root: Path) -> list[dict[str, Any]]:
        files = sorted(file for file in root.rglob("*") if file.is_file())
        return [
            {
                "type": "file", "path": file.relative_to(root).as_posix(), "size": file.stat().st_size,
                "oid": hashlib.sha1(file.read_bytes()).hexdigest(),
            }
            for file in files
        ]  # fmt: skip

    def _paths(self, root: Path, content: bytes) -> list[dict[str, Any]]:
        text = content.decode()
        wanted = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text).get("paths", [])
        listed, found = self._listed(root), []
        for path in [wanted] if isinstance(wanted, str) else wanted:
            inside = any(item["path"].startswith(f"{path}/") for item in listed)
            folder = [{"type": "directory", "path": path, "oid": "0" * 40}] if inside else []
            found += [item for item in listed if item["path"] == path] or folder
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
