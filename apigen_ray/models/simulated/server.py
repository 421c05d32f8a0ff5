"""The simulated model over HTTP, in the form of OpenAI's chat completions."""

import asyncio
import errno
import itertools
import json
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal, TextIO

from aiohttp import web

from apigen_ray.errors import BadInput
from apigen_ray.models.simulated.answering import Answer, Cleaned, Judged, Replied, answer
from apigen_ray.models.simulated.judging import Known
from apigen_ray.models.simulated.profiles import PROFILES, Fault, Profile
from apigen_ray.records import JsonObject, Message

MAX_REQUEST_BYTES = 16 * 2**20
CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for the usage reported: there is no tokenizer here."""


class Statistics:
    """Counts of requests, and of planted faults."""

    def __init__(self) -> None:
        self._requests = 0
        self._data_points = 0
        self._drawn: Counter[Fault | None] = Counter()
        self._planted: Counter[Fault | None] = Counter()
        self._judge: Counter[str] = Counter()
        self._clean: Counter[tuple[str, bool]] = Counter()
        self._replied: Counter[str] = Counter()

    def count(self, given: Answer) -> None:
        """Count an answer."""
        self._requests += 1
        if isinstance(given.content, Judged):
            self._judge.update(["requests", given.content.verdict])
            self._judge["wrong"] += given.content.wrong
            return
        if isinstance(given.content, Replied):
            self._replied["requests"] += 1
            self._replied["wrong"] += given.content.wrong
            self._replied["wrong_again"] += given.content.wrong and given.content.again
            return
        if isinstance(given.content, Cleaned):
            self._clean[given.content.kind, given.content.wrong] += 1
            return
        for point in given.content or ():
            self._data_points += 1
            self._drawn[point.drawn] += 1
            self._planted[point.fault] += 1

    def as_json(self) -> JsonObject:
        """The counts; a fault that was drawn but not possible counts as `none`."""
        judged = ("requests", "yes", "no", "unreadable", "wrong")
        return {
            "requests": self._requests,
            "generate": {
                "data_points": self._data_points,
                "drawn": {fault.value: self._drawn[fault] for fault in Fault},
                "planted": {fault.value: self._planted[fault] for fault in Fault},
                "none": self._planted[None],
            },
            "answer": {name: self._replied[name] for name in ("requests", "wrong", "wrong_again")},
            "judge": {name: self._judge[name] for name in judged},
            "clean": {
                kind: {
                    "requests": self._clean[kind, True] + self._clean[kind, False],
                    "wrong": self._clean[kind, True],
                }
                for kind in ("propose", "rewrite")
            },
        }


def build_app(
    profile_name: str,
    profile: Profile,
    seed: int,
    log: TextIO | None,
    known: Known | None = None,
) -> web.Application:
    """The server as an aiohttp application."""
    model = f"simulated-{profile_name}"
    statistics = Statistics()
    numbers = itertools.count(1)

    async def index(_request: web.Request) -> web.Response:
        return web.Response(
            text=f"This is {model}, a simulated model of apigen-ray: there is no language model "
            "behind it, and some answers are wrong on purpose. See /stats for planted faults.\n"
        )

    async def models(_request: web.Request) -> web.Response:
        entry = {"id": model, "object": "model", "created": 0, "owned_by": "apigen-ray"}
        return web.json_response({"object": "list", "data": [entry]})

    async def stats(_request: web.Request) -> web.Response:
        return web.json_response(statistics.as_json())

    async def complete(request: web.Request) -> web.Response:
        try:
            messages = _messages(await request.json())
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            message = f"the body is not a chat completion request: {type(error).__name__}: {error}"
            return web.json_response({"error": {"message": message}}, status=400)
        given = answer(messages, profile, seed, known)
        statistics.count(given)
        if log is not None:
            log.write(_log_line(given) + "\n")
        await asyncio.sleep(given.latency_s)
        completion = _completion(model, next(numbers), messages, given, profile.reasoning)
        return web.json_response(completion)

    app = web.Application(client_max_size=MAX_REQUEST_BYTES)
    app.router.add_get("/", index)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/stats", stats)
    app.router.add_post("/v1/chat/completions", complete)
    return app


def _messages(body: dict[str, Any]) -> list[Message]:
    messages = [Message(entry["role"], entry["content"]) for entry in body["messages"]]
    if not messages or not all(isinstance(message.content, str) for message in messages):
        raise ValueError("messages must be a list of {role, content: text} that is not empty")
    return messages


def _completion(
    model: str,
    number: int,
    messages: list[Message],
    given: Answer,
    reasoning: Literal["none", "field", "tags"],
) -> dict[str, object]:
    asked = sum(len(message.content) for message in messages) // CHARACTERS_PER_TOKEN
    reasoned = len(given.reasoning) // CHARACTERS_PER_TOKEN
    written = len(given.text) // CHARACTERS_PER_TOKEN + reasoned
    message = {"role": "assistant", "content": given.text}
    usage: dict[str, object] = {
        "prompt_tokens": asked,
        "completion_tokens": written,
        "total_tokens": asked + written,
    }
    if reasoning == "field":
        message["reasoning_content"] = given.reasoning
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoned}
    elif reasoning == "tags":
        answer = f"\n</think>\n\n{given.text}" if given.text else ""
        message["content"] = f"<think>\n{given.reasoning}{answer}"
    choice = {"index": 0, "message": message, "finish_reason": given.finish_reason}
    return {
        "id": f"simulated-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": usage,
    }


def _log_line(given: Answer) -> str:
    if isinstance(given.content, Judged):
        entry: dict[str, object] = {"judged": given.content.verdict, "wrong": given.content.wrong}
    elif isinstance(given.content, Replied):
        entry = {"answered": True, "wrong": given.content.wrong}
    elif isinstance(given.content, Cleaned):
        entry = {"asked": given.content.kind, "wrong": given.content.wrong}
    else:
        entry = {"planted": [point.fault for point in given.content or ()]}
    return json.dumps({**entry, "text": given.text}, ensure_ascii=False)


def profile_named(name: str, latency_s: float | None) -> Profile:
    """A profile, with another mean latency if one is given.

    Raises:
        BadInput: if there is no such profile.
    """
    if name not in PROFILES:
        raise BadInput(f"profile: must be one of {', '.join(PROFILES)}, not {name!r}")
    changes = {} if latency_s is None else {"latency_mean_s": latency_s}
    return PROFILES[name].model_copy(update=changes)


def listen(host: str, port: int) -> socket.socket:
    """Listen on a port; 0 takes a free one.

    Raises:
        BadInput: if the port can't be used.
    """
    try:
        return socket.create_server((host, port), backlog=1024)
    except (OSError, OverflowError) as error:
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "is in use; choose another one" if in_use else f"can't be used: {error}"
        raise BadInput(f"port {port} {why}") from error


def run_server(
    port: int,
    profile: str,
    seed: int,
    latency: float | None,
    *,
    host: str = "127.0.0.1",
    log: Path | None = None,
) -> None:
    """Serve in the foreground until interrupted.

    Args:
        port: The port to listen on; 0 takes a free one.
        profile: The name of a profile.
        seed: Answers depend only on it and on the request.
        latency: The mean latency in seconds, instead of the profile's.
        host: The address to listen on.
        log: A file to which a JSON line is appended for each answer, with what was planted in it.

    Raises:
        BadInput: if the port is in use, or there is no such profile.
    """
    chosen = profile_named(profile, latency)
    with listen(host, port) as listener:
        print(f"Simulated model at http://{host}:{listener.getsockname()[1]}/v1 ({profile})")
        if log is None:
            run_app(build_app(profile, chosen, seed, None), listener)
            return
        with log.open("a", encoding="utf-8", buffering=1) as lines:
            run_app(build_app(profile, chosen, seed, lines), listener)


def run_app(app: web.Application, listener: socket.socket, *, handle_signals: bool = True) -> None:
    """Serve on a listening socket until interrupted."""
    web.run_app(
        app,
        sock=listener,
        print=None,
        access_log=None,
        shutdown_timeout=1,
        handle_signals=handle_signals,
    )
