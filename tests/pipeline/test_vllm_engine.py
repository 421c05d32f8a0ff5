"""Engines in the cluster: started where there is room, stopped whatever happens. No vLLM here: a
program that stands in for its Python says what it was started with."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import ray

from apigen_ray.errors import BadInput
from apigen_ray.models.openai_client import OpenAIModel
from apigen_ray.models.vllm import Engine, VllmEndpoint
from apigen_ray.pipeline.vllm_engine import engines
from apigen_ray.records import Message

SERVER = f"""#!{sys.executable}
import json, os, sys, http.server
options = dict(option.lstrip("-").split("=", 1) for option in sys.argv[3:])
if os.fork() == 0:  # a worker, as engines have them
    import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        text = json.dumps([sys.argv[1:3], options, os.getpgid(0), os.environ.get("COLOUR")])
        body = json.dumps({{"choices": [{{"message": {{"content": text}}}}]}}).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
http.server.HTTPServer((options["host"], int(options["port"])), Handler).serve_forever()
"""


def program(tmp_path, text):
    path = tmp_path / "python"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def settings(python, **more):
    values = {"name": "m", "model": "org/model", "num_gpus": 0, "python": python} | more
    return VllmEndpoint.model_validate(values)


def said(endpoint):
    async def ask():
        model = OpenAIModel(endpoint, None)
        try:
            return await model.complete([Message("user", "hello")])
        finally:
            await model.close()

    return json.loads(asyncio.run(ask()).text)


def group_is_gone(group):
    for _ in range(200):
        alive = [
            path.name
            for path in Path("/proc").glob("[0-9]*/stat")
            if _stat(path)[4:5] == [str(group)] and _stat(path)[2] != "Z"
        ]
        if not alive:
            return True
        time.sleep(0.1)
    return False


def _stat(path):
    try:
        head, _, rest = path.read_text().rpartition(")")
    except OSError:
        return []
    return [*head.split(" ", 1), *rest.split()]


def test_an_engine_gets_what_the_config_says_is_asked_and_leaves_nothing(shared_ray, tmp_path):
    python = program(tmp_path, SERVER)
    entry = settings(
        python,
        tensor_parallel_size=2,
        replicas=2,
        engine_args={"max_model_len": 4096, "seed": 7},
        env={"COLOUR": "blue"},
        temperature=0.2,
        usd_per_gpu_hour=2,
    )
    told = []
    with engines({"m": entry, "judge/m": entry.model_copy(update={"name": "j"})}, told.append) as e:
        assert e["m"].base_urls == e["judge/m"].base_urls, "one engine serves both"
        assert len(e["m"].base_urls) == 2
        assert (e["m"].temperature, e["m"].usd_per_gpu_hour, e["m"].kind) == (0.2, 2, "openai")
        module, options, group, colour = said(e["m"])
    assert module == ["-m", "vllm.entrypoints.openai.api_server"]
    assert options.items() >= {
        ("model", "org/model"), ("tensor-parallel-size", "2"), ("max-model-len", "4096"),
        ("seed", "7"), ("dtype", "auto"), ("host", "127.0.0.1"),
    }  # fmt: skip
    assert "guidance" in options["structured-outputs-config"]
    assert colour == "blue"
    assert told == ["m: starting 2 x vLLM with org/model ..."]
    assert group_is_gone(group)


def test_an_engine_that_is_interrupted_leaves_nothing(shared_ray, tmp_path):
    groups = []

    def interrupted():
        with engines({"m": settings(program(tmp_path, SERVER))}, print) as endpoints:
            groups.append(said(endpoints["m"])[2])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert group_is_gone(groups[0])


def test_an_engine_whose_actor_is_killed_leaves_nothing(tmp_path):
    holder = os.fork()
    if holder == 0:
        engine = Engine(settings(program(tmp_path, SERVER)), "127.0.0.1")
        while not engine.ready():
            time.sleep(0.1)
        (tmp_path / "group").write_text(str(engine._process.pid))
        signal.pause()
    while not (tmp_path / "group").exists():
        time.sleep(0.1)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    assert group_is_gone((tmp_path / "group").read_text())


def test_an_engine_that_does_not_start_is_quoted(shared_ray, tmp_path):
    text = "#!/bin/sh\necho 'ValueError: no such model: org/model' >&2\necho bye\nexit 1\n"
    with (
        pytest.raises(BadInput, match=r"model m: vLLM did not start: ValueError: no such model"),
        engines({"m": settings(program(tmp_path, text))}, print),
    ):
        pass


def test_an_engine_that_is_never_ready_ends_the_run(shared_ray, tmp_path):
    text = "#!/bin/sh\nsleep 1000\n"
    entry = settings(program(tmp_path, text), startup_timeout_s=4)
    with pytest.raises(BadInput, match="not ready after 4 s"), engines({"m": entry}, print):
        pass


def test_a_cluster_without_gpus_says_so_in_one_line(shared_ray):
    assert not ray.cluster_resources().get("GPU")
    entry = settings("python", num_gpus=None, tensor_parallel_size=4)
    with (
        pytest.raises(BadInput, match=r"^model m: an engine needs 4 GPU\(s\) of one node"),
        engines({"m": entry}, print),
    ):
        pass


def test_what_differs_in_nothing_but_the_way_of_asking_is_one_engine():
    entry = settings("python")
    asked = entry.model_copy(update={"name": "j", "temperature": 0.0, "concurrency": 5})
    assert asked.engine == entry.engine
    assert entry.model_copy(update={"dtype": "float32"}).engine != entry.engine
    assert entry.model_copy(update={"model": "other"}).engine != entry.engine
