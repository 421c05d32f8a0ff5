"""The runner: holds the tools, warm, and makes each call in a fork that it then wipes out.

    python3 -s -E -B -u runner.py ADDRESS

Standard library only; it runs on any Python from 3.9. Read it with `loading.py` (isolation, then
the tool modules), `seccomp.py` (the system-call filter), `service.py` (forks, and what the host is
told), `child.py` (what a fork does), `cleanup.py` (what happens after each call), `egress.py` (HTTP
for tools, off by default) and `servers.py` (MCP servers in place of calls).

ADDRESS is a unix socket on which the host listens. The host sends a configuration, the runner
imports the tool modules and says `ready`. Then each request is a group of calls that share a fork,
and each call is answered with the facts that this process measured (how it ended, in what time)
and the fork's bytes, which it never parses.

In a sidecar container ADDRESS is the folder in which hosts open such sockets: PID 1 only
watches it, and a process below it is the runner.

Covered, for a call that does its worst, when the runner is PID 1 of a container without network,
with a read-only root, limits on memory and processes, and no capabilities:
    - the host, its files, its network and its environment;
    - this runner and the other calls: their arguments, results, memory and time;
    - whatever would outlive the call: processes, files, memory.
Not covered:
    - a call can lie about its own result;
    - tool modules are imported here, so a hostile *module* can falsify results of other tools in
      the same sandbox (not reach the host);
    - a flaw of the kernel (a gVisor runtime is the answer), and side channels such as timing;
    - without a container: see the notices of the bubblewrap and process transports.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
import time
from typing import Any, NoReturn

import cleanup
import egress
import loading
import service

# pathlib in this process would be copied, page by page, into every fork
# ruff: noqa: PTH112, PTH118, PTH120, PTH208

PROTOCOL = 3
WATCH_INTERVAL_S = 0.1
SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - the container's; wiped after each call
PR_SET_DUMPABLE = 4


def connect(address: str) -> int | None:
    """A connection to the host that listens there, as a descriptor; None if nobody does."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        return None
    return connection.detach()


def serve(host: int, base: str) -> NoReturn:
    """Serve one host until it hangs up."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    configuration = service.receive_json(host)
    configuration["tools"] = os.path.join(base, configuration["tools"])
    given = os.environ.get("TMPDIR")
    scratch = [given] if given else [path for path in SCRATCH if os.access(path, os.W_OK)]
    if not scratch:
        why = f"calls can't write to {' or '.join(SCRATCH)}: in its image, /tmp must have mode 1777"
        service.send_event(host, event="failed", message=why)
        sys.exit(1)
    if "server" in configuration:
        serve_mcp(host, null, configuration, scratch)
    # opens what isolation would close to it
    serving = service.Service(host, null, configuration, scratch)
    proxies = egress.hand_over(host) if configuration["egress"] else {}
    loading.isolate(configuration, scratch)
    os.environ.update(proxies)
    serving.functions = loading.load(host, null, configuration)
    cleanup.kill_others(configuration["alone"])
    cleanup.reap(configuration["alone"])
    cleanup.wipe(scratch)
    loading.warm_up(serving.encoder, null)
    settle_memory()
    service.send_event(host, event="ready", protocol=PROTOCOL, python=sys.version)
    serving.serve()


def settle_memory() -> None:
    """Have no garbage looked for in forks, which would copy every page, and give back what is free.

    A fork pays for each page that this process has: 2 % for the 700 KB that compiling tools leaves.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc
        trim(0)


def serve_mcp(host: int, null: int, configuration: dict[str, Any], scratch: list[str]) -> NoReturn:
    """Start MCP servers for one host until it hangs up."""
    import servers  # noqa: PLC0415 - what it imports would be copied into the forks of calls

    server = configuration["server"]
    launcher = servers.prepare(host, null, configuration, scratch)
    proxies = egress.hand_over(host) if configuration["egress"] else {}
    launcher.environment.update(proxies)
    loading.isolate(configuration, scratch, programs=True)
    servers.preload(server["preload"])
    service.send_event(host, event="ready", protocol=PROTOCOL, python=sys.version)
    launcher.serve()


def watch(folder: str) -> NoReturn:
    """Watch a folder, and serve one host after another, each in a process of its own.

    A host opens `folder/*/socket` for each runner that it wants.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    while True:
        for name in os.listdir(folder):
            host = connect(os.path.join(folder, name, "socket"))
            if host is None:
                continue
            pid = os.fork()
            if pid == 0:
                libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # until it has isolated itself
                serve(host, folder)
            os.close(host)
            os.waitpid(pid, 0)
            cleanup.kill_others(alone=True)
            cleanup.reap(alone=True)
        time.sleep(WATCH_INTERVAL_S)


def main(address: str) -> NoReturn:
    """Serve the host at a socket; or, given a folder, whoever opens sockets in it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.path.isdir(address):
        watch(address)
    host = connect(address)
    if host is None:
        sys.exit(f"nobody listens at {address}")
    serve(host, os.path.dirname(address))


if __name__ == "__main__":
    main(sys.argv[1])
