"""Tools that do HTTP themselves, and attacks on the way that they are given for it."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

TIMEOUT_S = 3.0


def fetch(url: str) -> str:
    """Get a URL as most Python code does."""
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context(cafile=str(Path(__file__).with_name("authority.pem")))
    with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=context) as answer:
        return answer.read().decode()


def fetch_or_else(url: str) -> str:
    """A tool that puts up with a refusal."""
    try:
        return fetch(url)
    except urllib.error.URLError:
        return "something else"


def refused_then_crashes(url: str) -> None:
    with contextlib.suppress(urllib.error.URLError):
        fetch(url)
    os._exit(3)


def _proxy() -> tuple[str, int]:
    host, _, port = os.environ["http_proxy"].removeprefix("http://").partition(":")
    return host, int(port)


def connect(host: str, port: int) -> str:
    """Past the proxy."""
    with socket.create_connection((host, port), TIMEOUT_S):
        return "connected"


def look_up(host: str) -> list:
    return socket.getaddrinfo(host, 80)


def try_sockets() -> list[str]:
    """The kinds of sockets that can be made."""
    made = []
    for family in range(50):
        for kind in range(1, 11):
            for protocol in (0, 1, 6, 17, 132, 255, 262):
                with contextlib.suppress(OSError), socket.socket(family, kind, protocol):
                    made.append(f"{family}/{kind}/{protocol}")
    return made


def try_to_listen() -> list[str]:
    """What it takes to hold a port beyond the call, or to play the proxy."""
    done = []
    for act in (lambda one: one.bind(_proxy()), lambda one: one.bind(("127.0.0.1", 0)),
                lambda one: one.listen()):  # fmt: skip
        with socket.socket() as one, contextlib.suppress(OSError):
            act(one)
            done.append("done")
    return done


def proxy_port() -> int:
    return _proxy()[1]


def kill_everything() -> str:
    """Whatever stands between a call and the proxy, if it can be killed."""
    for pid in range(1, 5000):
        if pid != os.getpid():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
    return "tried"


def flood(connections: int) -> int:
    """Open connections and keep them, by many threads, with half a request on each."""
    kept = []

    def open_some() -> None:
        with contextlib.suppress(OSError):
            for _ in range(connections // 4):
                one = socket.create_connection(_proxy(), 0.2)
                kept.append(one)
                one.sendall(b"GET http://")

    threads = [threading.Thread(target=open_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(kept)


def open_and_close(seconds: float) -> int:
    """Use up ports."""
    done, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(_proxy(), 0.1).close()
            done += 1
    return done


def ask_and_leave(url: str) -> str:
    """Ask for a refused host, and end before the refusal comes."""
    for _ in range(200):
        one = socket.create_connection(_proxy(), TIMEOUT_S)
        one.sendall(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        one.detach()
    return "left"


def ask_from_a_daemon(url: str) -> str:
    """Leave a process behind that goes on asking."""
    if os.fork() == 0:
        os.setsid()
        while True:
            with contextlib.suppress(Exception):
                fetch(url)
    return "left"


def send_raw(text: str) -> str:
    """What the proxy answers to anything at all."""
    with socket.create_connection(_proxy(), TIMEOUT_S) as one:
        one.sendall(text.encode("latin-1"))
        return one.makefile("rb").read().decode("latin-1")


def run_curl(url: str) -> int:
    return subprocess.run(["curl", url], check=False).returncode
