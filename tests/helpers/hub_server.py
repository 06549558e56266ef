"""A server on loopback that speaks as much of the Hugging Face hub's protocol as its real client uses, and its faults.

As the hub does, it answers for a large file with a redirect to another address that knows ranges, and puts size, hash
and commit in headers; small files it sends itself, named by git's hash.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = "c0ffee" + "0" * 34
LARGE = 1000  # bytes from which on a file is a large one


@dataclass
class HubServer:
    """Its files, its faults and the requests it received. Paths are REPOSITORY/FILE, data sets with `datasets/`."""

    url: str = ""
    commit: str = COMMIT
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(
        default_factory=list
    )  # each answer of a large file ends after so many bytes, while any is left
    ranges: bool = True  # whether a part of a file can be asked for
    sent: dict[str, bytes] = field(default_factory=dict)  # content that differs from what the headers announce
    told: dict[str, str] = field(default_factory=dict)  # headers that take the place of the right ones; "" leaves out
    about: dict[str, object] = field(default_factory=dict)  # parts of a listing that differ
    status: int = 0  # answer everything with this
    location: str = ""  # of a status 302: where to, or the address that was asked for
    log: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range
    agents: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)


@contextmanager
def hub_server(**options: object) -> Iterator[HubServer]:
    """Run a server for the body."""
    hub = HubServer(**options)  # type: ignore[arg-type]

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: HubServer

    def log_message(self, *_: object) -> None:
        """Log nothing to the terminal."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        hub = self.state
        path = urlsplit(self.path).path  # a proxy is asked for the whole address
        hub.log.append((self.command, path, self.headers.get("Range", "")))
        hub.agents.add(self.headers.get("User-Agent", ""))
        hub.tokens |= {self.headers[name] for name in ("Authorization",) if name in self.headers}
        if hub.status:
            redirect = {"Location": hub.location or self.path} if hub.status == 302 else {}
            self._head(hub.status, {"Content-Length": "0"} | redirect)
            return
        if path.startswith("/api/models/"):
            self._listing(path.removeprefix("/api/models/"))
            return
        if path.startswith("/content/"):
            self._content(path.removeprefix("/content/"), body)
            return
        place, _, rest = path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        key = f"{place}/{name}"
        if not any(known.startswith(f"{place}/") for known in hub.files):
            self._refuse("RepoNotFound")
        elif revision not in ("main", hub.commit):
            self._refuse("RevisionNotFound")
        elif key not in hub.files:
            self._refuse("EntryNotFound")
        else:
            self._file(key, body)

    def _listing(self, place: str) -> None:
        """What a repository contains, as the hub's API says it."""
        hub = self.state
        siblings = []
        for key, data in hub.files.items():
            if key.startswith(f"{place}/"):
                blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
                lfs = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 100}
                large = {"lfs": lfs} if len(data) >= LARGE else {}
                siblings.append({"rfilename": key.removeprefix(f"{place}/"), "size": len(data), "blobId": blob} | large)
        if not siblings:
            self._refuse("RepoNotFound")
            return
        about = {"id": place, "sha": hub.commit, "siblings": siblings, "cardData": {"license": "apache-2.0"}}
        body = json.dumps(about | hub.about).encode()
        self._head(200, {"Content-Length": str(len(body)), "Content-Type": "application/json"})
        self.wfile.write(body)

    def _refuse(self, code: str) -> None:
        self._head(404, {"X-Error-Code": code, "X-Error-Message": code, "Content-Length": "0"})

    def _file(self, key: str, body: bool) -> None:
        data = self.state.files[key]
        headers = {"X-Repo-Commit": self.state.commit}
        if len(data) < LARGE:
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            content = self.state.sent.get(key, data)
            self._head(200, headers | {"ETag": f'"{blob}"', "Content-Length": str(len(content))} | self.state.told)
            if body:
                self.wfile.write(content)
            return
        headers |= {
            "X-Linked-Size": str(len(data)),
            "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"',
            # By another name of the host: the client asks the hub's own host no further.
            "Location": f"{self.state.url.replace('127.0.0.1', 'localhost')}/content/{key}",
            "Content-Length": "0",
        }
        self._head(302, headers | self.state.told)

    def _content(self, key: str, body: bool) -> None:
        hub = self.state
        data = hub.sent.get(key, hub.files[key])
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted and hub.ranges else 0
        if start and start >= len(data):
            self._head(416, {"Content-Length": "0"})
            return
        part = data[start:]
        headers = {"Content-Length": str(len(part)), "ETag": '"of-the-content"'}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._head(206 if start else 200, headers)
        if not body:
            return
        if hub.cuts:
            self.wfile.write(part[: hub.cuts.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(part)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
