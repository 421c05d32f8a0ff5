"""What was recorded is replayed, offline and alike."""

import base64
import json
import logging

import pytest
from aiohttp import web

from apigen_ray.errors import BadInput, RestUnavailable
from apigen_ray.records import OUTCOME_OF, Failed, Outcome, Reason, RestBackend, Returned
from apigen_ray.stages.execute.rest import RestSettings


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "cassette.jsonl"


@pytest.fixture
async def server(serve):
    async def answer(request: web.Request) -> web.Response:
        match request.path:
            case "/json":
                return web.json_response({"q": dict(request.query), "text": await request.text()})
            case "/binary":
                return web.Response(body=b"\x89\xff\x00", content_type="image/png")
            case "/latin":
                return web.Response(text="é", charset="latin-1")
            case "/large":
                return web.Response(text="x" * 5000)
            case _:
                return web.json_response({"message": "no"}, status=404)

    return await serve(answer)


CALLS = [
    ("GET", "/json", {"b": 1, "a": "ü"}),
    ("POST", "/json", {"b": [1, None]}),
    ("GET", "/binary", {}),
    ("GET", "/latin", {}),
    ("GET", "/large", {}),
    ("GET", "/none", {}),
]


async def test_a_replay_gives_what_was_recorded(caller, server, path):
    async def results(made):
        return [await made.call(RestBackend(m, server + p), a) for m, p, a in CALLS]

    recording = caller(mode="record", cassette=str(path), response_bytes=2048)
    recorded = await results(recording)
    replaying = caller(mode="replay", cassette=str(path), allow=(), lookup=None)
    replayed = await results(replaying)
    assert [type(r).__name__ for r in recorded] == [
        "Returned", "Returned", "Failed", "Returned", "Failed", "Failed",
    ]  # fmt: skip
    for before, after in zip(recorded, replayed, strict=True):
        assert abs(before.seconds - after.seconds) < 1e-5
        assert repr(before).rpartition("seconds")[0] == repr(after).rpartition("seconds")[0]


async def test_the_order_of_arguments_does_not_matter(caller, server, path):
    backend = RestBackend("GET", server + "/json")
    await caller(mode="record", cassette=str(path)).call(backend, {"a": 1, "b": 2})
    replaying = caller(mode="replay", cassette=str(path))
    assert isinstance(await replaying.call(backend, {"b": 2, "a": 1}), Returned)


async def test_a_miss_is_no_failure_of_the_call(caller, server, path):
    backend = RestBackend("GET", server + "/json")
    await caller(mode="record", cassette=str(path)).call(backend, {"a": 1})
    with pytest.raises(RestUnavailable, match="not in the cassette") as missed:
        await caller(mode="replay", cassette=str(path)).call(backend, {"a": 2})
    assert OUTCOME_OF[missed.value.reason] == Outcome.ERROR


async def test_a_replay_needs_no_network_and_no_keys(caller, server, path, monkeypatch):
    backend = RestBackend("GET", server + "/json")
    await caller(mode="record", cassette=str(path)).call(backend, {})
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("dialled"))
    assert isinstance(await caller(mode="replay", cassette=str(path)).call(backend, {}), Returned)


async def test_of_two_recordings_the_last_is_played(caller, serve, path):
    count = 0

    async def answer(request):
        nonlocal count
        count += 1
        return web.json_response([count])

    backend = RestBackend("GET", await serve(answer))
    for _ in range(2):
        await caller(mode="record", cassette=str(path)).call(backend, {})
    result = await caller(mode="replay", cassette=str(path)).call(backend, {})
    assert isinstance(result, Returned)
    assert result.result == [2]


async def test_a_refused_argument_is_refused_in_a_replay_too(caller, path, server):
    await caller(mode="record", cassette=str(path)).call(RestBackend("GET", server + "/json"), {})
    replaying = caller(mode="replay", cassette=str(path))
    result = await replaying.call(RestBackend("GET", server + "/{id}"), {"id": ".."})
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED


async def test_a_torn_line_is_left_out(caller, server, path, caplog):
    backend = RestBackend("GET", server + "/json")
    await caller(mode="record", cassette=str(path)).call(backend, {})
    whole = path.read_text()
    path.write_text(whole[:40] + "\n" + whole)
    with caplog.at_level(logging.WARNING):
        replaying = caller(mode="replay", cassette=str(path))
    assert "skipped line 1" in caplog.text
    assert isinstance(await replaying.call(backend, {}), Returned)


def test_a_cassette_that_is_not_there_is_bad_input(caller, tmp_path):
    with pytest.raises(BadInput, match=r"rest.cassette: .*none.jsonl"):
        caller(mode="replay", cassette=str(tmp_path / "none.jsonl"))


@pytest.mark.parametrize("mode", ["record", "replay"])
def test_recording_needs_a_cassette(mode):
    with pytest.raises(ValueError, match=f"mode {mode} needs a cassette"):
        RestSettings(mode=mode)


async def test_a_body_that_is_no_text_is_kept_as_it_is(caller, server, path):
    backend = RestBackend("GET", server + "/binary")
    await caller(mode="record", cassette=str(path)).call(backend, {})
    answer = json.loads(path.read_text())["answer"]
    assert base64.b64decode(answer["body_base64"]) == b"\x89\xff\x00"
