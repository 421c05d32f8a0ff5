"""A key is planted, used and echoed by its server; nothing that is written has it."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest

KEY = "sk-planted-4f9c27d1b85e"


class Echoing(BaseHTTPRequestHandler):
    """A model whose every refusal, and every other reply, quotes the key it was given."""

    asked = 0

    def do_GET(self):
        self.answer(200, {"data": [{"id": "m"}]})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Echoing.asked += 1
        said = f"Incorrect API key provided: {self.headers['Authorization']}"
        if Echoing.asked % 2:
            self.answer(401, {"error": {"message": said}})
        else:
            choice = {"message": {"content": "[]"}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 1}
            self.answer(200, {"choices": [choice], "usage": usage})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def model():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echoing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def test_nothing_that_is_written_or_printed_has_the_key(model, tmp_path):
    endpoint = f"{{kind: openai, name: m, base_url: '{model}', model: m, api_key_env: PLANTED}}"
    out = tmp_path / "run"
    overrides = [f"models=[{endpoint}]", "points={simple: 12}", "sandbox.kind=process"]
    command = [sys.executable, "-m", "apigen_ray", "run", "configs/quickstart.yaml"]
    command += ["--out", str(out), *(word for one in overrides for word in ("--set", one))]
    with tempfile.TemporaryDirectory() as short:  # the names of Ray's sockets are long enough
        env = os.environ | {"PLANTED": KEY, "RAY_TMPDIR": short}
        ended = subprocess.run(command, capture_output=True, env=env, check=False)
        folders = (tmp_path, Path(short))
        written = {p: plain(p) for folder in folders for p in folder.rglob("*") if p.is_file()}
    assert ended.returncode == 1, ended.stderr  # the refusals are errors
    assert Echoing.asked >= 12, ended.stdout
    assert any("Incorrect API key provided: Bearer ***" in text for text in written.values())
    assert KEY.encode() not in ended.stdout + ended.stderr
    assert {"manifest.json", "report.html"} <= {path.name for path in written}
    assert len(written) > 20  # Ray's logs are among them
    assert not [path for path, text in written.items() if KEY in text]


def plain(path: Path) -> str:
    """The text of a file; rows and replies are compressed."""
    if path.suffix == ".parquet":
        return json.dumps(pq.read_table(path).to_pylist())
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode(errors="replace")
