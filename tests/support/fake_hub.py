"""The part of the Hugging Face hub's HTTP API that pushing and fetching a model needs, on the loopback."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlparse

import yaml

COMMIT = "c" * 40


@dataclass
class FakeHub:
    """Repositories by name, each with its files; what was asked for; uploads that wait for their commit."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    refuse: bool = False
    address: str = ""


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """A hub that is there as long as the block runs."""
    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(hub))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def handler_of(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    """What answers the requests to this hub."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

        def body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def answer(self, status: int, content: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def answer_json(self, content: Any, status: int = 200) -> None:
            self.answer(status, json.dumps(content).encode(), Content_Type="application/json")

        def do_POST(self) -> None:
            path, body = urlparse(self.path).path, self.body()
            hub.requests.append(f"POST {path}")
            if hub.refuse:
                self.answer_json({"error": "You have no right to do this"}, 403)
            elif path == "/api/repos/create":
                self.create(json.loads(body))
            elif path == "/api/validate-yaml":
                block = yaml.safe_load(json.loads(body)["content"].split("---")[1])
                wrong = [] if isinstance(block, dict) else [{"message": "no metadata"}]
                self.answer_json({"errors": wrong, "warnings": []}, 400 if wrong else 200)
            elif "/preupload/" in path:
                files = [
                    {"path": file["path"], "shouldIgnore": False,
                     "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular"}
                    for file in json.loads(body)["files"]
                ]  # fmt: skip
                self.answer_json({"files": files})
            elif path.endswith("/info/lfs/objects/batch"):
                self.batch(json.loads(body))
            elif "/commit/" in path:
                self.commit(path.removeprefix("/api/models/").split("/commit/")[0], body)
            else:
                self.answer_json({"error": "unknown"}, 404)

        def create(self, asked: dict[str, Any]) -> None:
            name = "/".join(part for part in (asked.get("organization"), asked["name"]) if part)
            known = name in hub.repositories
            hub.repositories.setdefault(name, {})
            hub.private.setdefault(name, bool(asked.get("private") or asked.get("visibility") == "private"))
            self.answer_json({"url": f"{hub.address}/{name}", "name": name}, 409 if known else 200)

        def batch(self, asked: dict[str, Any]) -> None:
            objects = [
                {**one, "actions": {"upload": {"href": f"{hub.address}/upload/{one['oid']}", "header": {}}}}
                for one in asked["objects"]
            ]
            self.answer_json({"transfer": "basic", "objects": objects})

        def commit(self, name: str, body: bytes) -> None:
            for line in filter(None, body.split(b"\n")):
                entry = json.loads(line)
                value = entry["value"]
                if entry["key"] == "file":
                    hub.repositories[name][value["path"]] = base64.b64decode(value["content"])
                elif entry["key"] == "lfsFile":
                    hub.repositories[name][value["path"]] = hub.uploads[value["oid"]]
            self.answer_json(
                {"commitUrl": f"{hub.address}/{name}/commit/{COMMIT}", "commitOid": COMMIT, "success": True}
            )

        def do_PUT(self) -> None:
            hub.requests.append(f"PUT {self.path}")
            hub.uploads[self.path.removeprefix("/upload/")] = self.body()
            self.answer(200, ETag='"done"')

        def do_GET(self) -> None:
            path = unquote(urlparse(self.path).path)
            hub.requests.append(f"{self.command} {path}")
            name, _, rest = path.strip("/").partition("/resolve/")
            content = hub.repositories.get(name, {}).get(rest.partition("/")[2])
            if content is None:
                self.answer(404, X_Error_Code="EntryNotFound")
            else:
                self.answer(
                    200, content, ETag=f'"{sha256(content).hexdigest()}"', X_Repo_Commit=COMMIT,
                    Content_Type="application/octet-stream",
                )  # fmt: skip

        do_HEAD = do_GET

    return Handler
