"""The REST servers of `tests/rest_server`, as processes on loopback."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SERVERS = Path(__file__).parents[1] / "rest_server"


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str

    @property
    def place(self) -> str:
        """Its address as `rest.allow` names it."""
        return self.url.removeprefix("http://")

    def get(self, path):
        """The JSON value at a path."""
        with urllib.request.urlopen(self.url + path) as answer:
            return json.load(answer)


@contextmanager
def serving(script: str) -> Iterator[Server]:
    command = [sys.executable, str(SERVERS / script), "--port", "0", "--child"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield Server(child.stdout.readline().strip())
        finally:
            child.stdin.close()


@pytest.fixture
def bookshop(monkeypatch):
    """A REST server of thirty endpoints of many kinds, and the keys to it."""
    monkeypatch.setenv("HARBOUR_BOOKS_CUSTOMER", "customer-key")
    monkeypatch.setenv("HARBOUR_BOOKS_PARTNER", "partner-key")
    with serving("server.py") as server:
        yield server


@pytest.fixture
def virtual_server():
    """A server as StableToolBench's."""
    with serving("virtual.py") as server:
        yield server
