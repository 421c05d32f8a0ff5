"""Uploading to the Hub, against a local stand-in for the parts of its HTTP interface it takes."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub.constants
import pytest

from apigen_ray.datasets.export.writing import push
from apigen_ray.errors import BadInput


class Hub(BaseHTTPRequestHandler):
    """One data set, `me/data`; anything else is refused. It takes files within the commit."""

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else self._chunks()
        if self.headers.get("Authorization") != "Bearer hf_secret":
            return self._answer(401, {"error": "Invalid credentials"})
        if self.path == "/api/repos/create":
            self.server.created.append(json.loads(body))
            return self._answer(200, {"url": f"{self.server.address}/datasets/me/data"})
        if self.path == "/api/validate-yaml":
            return self._answer(200, {"warnings": [], "errors": []})
        if self.path == "/api/datasets/me/data/preupload/main":
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self._answer(200, {"files": files})
        if self.path == "/api/datasets/me/data/commit/main":
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    content = base64.b64decode(entry["value"]["content"])
                    self.server.files[entry["value"]["path"]] = content
            url = f"{self.server.address}/datasets/me/data/commit/0"
            return self._answer(200, {"commitUrl": url, "commitOid": "0", "hookOutput": ""})
        return self._answer(404, {"error": "not found"})

    def do_GET(self):
        self._answer(404, {"error": "not found"})

    def _chunks(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def _answer(self, status, value):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.address = f"http://127.0.0.1:{server.server_port}"
    server.created, server.files = [], {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.address)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    yield server
    server.shutdown()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"id": "a"}\n')
    (tmp_path / "README.md").write_text("---\nlicense: unknown\n---\n")
    return tmp_path


def test_every_file_arrives_in_a_private_data_set(hub, folder):
    assert push(folder, "me/data").endswith("/datasets/me/data")
    [created] = hub.created
    assert (created["name"], created["type"]) == ("data", "dataset")
    assert created.get("private") is True or created.get("visibility") == "private"
    assert hub.files == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_refusal_is_one_line_without_the_token(hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(BadInput, match=r"--push me/data: .*401") as caught:
        push(folder, "me/data")
    assert "\n" not in str(caught.value)
    assert "hf_wrong" not in str(caught.value)


def test_a_bad_name_is_one_line(hub, folder):
    with pytest.raises(BadInput, match="--push a/b/c"):
        push(folder, "a/b/c")


def test_a_hub_that_does_not_answer_is_one_line(folder, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BadInput, match="--push me/data"):
        push(folder, "me/data")
