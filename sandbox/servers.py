"""Starts MCP servers, one after the other: each anew, and nothing of it is left when it ends.

The runner's other trade. The host sends three sockets with a byte: a server is started with them as
its standard streams, so that host and server talk to each other directly. At the next byte all
processes are killed, the scratch is wiped, and the host is told how the server had ended.

A server written in Python need not start from nothing: what its dependencies import is imported
here, once, and each server is a fork of this process that runs the command's script.

Covered, beyond what `runner.py` says: a server may start programs, but none of them opens a socket
to anything, nor outlives its server.
Not covered: packages that are imported here ahead of a server. One that is hostile when imported
could link what rows of its own server see; nothing is imported ahead with `preload: false`.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import os
import re
import runpy
import select
import shutil
import signal
import site
import socket
import sys
import threading
import traceback
from typing import Any, NoReturn

import child
import cleanup
import loading
import seccomp
import service

# as in runner.py
# ruff: noqa: PTH100, PTH102, PTH112, PTH118, PTH119, PTH120, PTH123, S606

START, LEARN, END, ENDED = b"S", b"L", b"E", b"D"
LAST_MOMENT_S = 2.0  # for a server that has closed its output to exit
STREAMS = 3
DESCRIPTORS = 1024
NOTED_BYTES = 48 << 10  # what an event has room for
POLL_MS = 1000
PACKAGES = "opt/packages"  # in an image or folder that `sandbox build --mcp` made
WORKSPACE = "workspace"
TOOLS = "{tools}"  # in a command: the folder of the server's files
SHEBANG = re.compile(rb"#!\s*(\S+)(?:\s+(\S+))?")
OURS = (*loading.OURS, "servers")


class Learner:
    """A finder that finds nothing: it notes what is imported, for the host to read."""

    def __init__(self, notes: int) -> None:
        self.notes = notes

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Note a module's name."""
        with contextlib.suppress(OSError):  # more than the pipe holds
            os.write(self.notes, name.encode() + b"\n")


class Launcher:
    """Serves one host connection."""

    def __init__(
        self,
        host: int,
        null: int,
        configuration: dict[str, Any],
        scratch: list[str],
        environment: dict[str, str],
    ) -> None:
        self.host = host
        self.null = null
        self.channel = socket.socket(fileno=os.dup(host))
        self.alone = configuration["alone"]
        self.scratch = scratch
        self.tools = configuration["tools"]
        words: list[str] = configuration["server"]["command"]
        self.command = [word.replace(TOOLS, self.tools) for word in words]
        self.environment = environment | configuration["server"]["env"]
        self.forks: bool = configuration["server"]["forks"]  # else another Python may be meant
        self.oom_kills = cleanup.OomKills()
        self.oom_score = cleanup.OomScore()
        self.main = 0
        self.status: int | None = None
        self.notes: int | None = None

    def serve(self) -> NoReturn:
        """Start and end servers until the host hangs up."""
        poll = select.poll()
        poll.register(self.host, select.POLLIN | select.POLLRDHUP)
        while True:
            for _, event in poll.poll(POLL_MS):
                if event & ~select.POLLIN:
                    self.leave()
                self.obey()
            self.reap_ended()

    def obey(self) -> None:
        """Do what the host asks."""
        size = STREAMS * array.array("i").itemsize
        word, ancillary, _, _ = self.channel.recvmsg(1, socket.CMSG_SPACE(size))
        streams = array.array("i")
        for _, _, data in ancillary:
            streams.frombytes(data[:size])
        if word in (START, LEARN) and len(streams) == STREAMS:
            self.start(list(streams), learn=word == LEARN)
        elif word in (END, ENDED):
            if word == ENDED and self.status is None:
                self.status = service.await_exit(self.main, LAST_MOMENT_S)
            self.end()
        else:
            self.leave()

    def start(self, streams: list[int], *, learn: bool) -> None:
        """Start a server; with `learn`, note what it imports."""
        work = self.prepare_scratch()
        notes = None
        if learn:
            self.notes, notes = os.pipe()
            os.set_blocking(notes, False)
        self.status = None
        self.oom_kills.mark()
        self.oom_score.set_highest()
        self.main = os.fork()
        if self.main == 0:
            try:
                self.become_server(streams, notes, work)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(127)
        self.oom_score.reset()
        for descriptor in (*streams, *([] if notes is None else [notes])):
            os.close(descriptor)

    def prepare_scratch(self) -> str:
        """The working directory of a server, with what the user wants to be there."""
        given = os.path.join(self.tools, WORKSPACE)
        work = os.path.join(self.scratch[0], WORKSPACE)
        if os.path.isdir(given):
            shutil.copytree(given, work, symlinks=True)
            return work
        os.mkdir(work)
        return work

    def become_server(self, streams: list[int], notes: int | None, work: str) -> NoReturn:
        """Turn this fork into the server."""
        os.setpgrp()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if os.getppid() != 1:  # PID 1 is deaf to signals from its own namespace
            child.end_with_parent()
            seccomp.install_signal_guard()
        kept = [above(descriptor) for descriptor in streams]
        note = above(notes) if notes is not None else None
        for target, descriptor in enumerate(kept):
            os.dup2(descriptor, target)
        if note is not None:
            os.dup2(note, STREAMS)
        os.closerange(STREAMS + (note is not None), DESCRIPTORS)
        os.chdir(work)
        os.environ.clear()
        os.environ.update(self.environment)
        if not self.forks:
            os.execvpe(self.command[0], self.command, self.environment)
        program, *arguments = resolved(self.command, self.environment.get("PATH", ""))
        if program == sys.executable and runs_script(arguments):
            if note is not None:
                sys.meta_path.insert(0, Learner(STREAMS))
            run_script(arguments, work)
        os.execve(program, [program, *arguments], self.environment)

    def end(self) -> None:
        """Kill what is there; tell the host how the server had ended, and whether all is gone."""
        self.reap_ended()
        cleanup.kill_others(self.alone)
        cleanup.reap(self.alone)
        clean = cleanup.wipe(self.scratch)
        learned = self.learned()
        service.send_event(
            self.host,
            event="ended",
            status=-1 if self.status is None else self.status,
            memory=int(self.oom_kills.happened()),
            clean=int(clean),
            imported=learned,
        )

    def learned(self) -> str:
        """The names of the modules that the server imported, in order."""
        if self.notes is None:
            return ""
        text = b""
        while more := os.read(self.notes, 1 << 16):
            text += more
        os.close(self.notes)
        self.notes = None
        return text[:NOTED_BYTES].rpartition(b"\n")[0].decode("utf-8", "replace")

    def reap_ended(self) -> None:
        """Take note of processes that have ended."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if pid == self.main:
                    self.status = status

    def leave(self) -> NoReturn:
        """The host is gone."""
        cleanup.leave(self.alone, self.scratch)


def prepare(host: int, null: int, configuration: dict[str, Any], scratch: list[str]) -> Launcher:
    """What must be done before this process isolates itself."""
    root = configuration["server"]["root"]
    packages = os.path.join(root, PACKAGES)
    python, node = os.path.join(packages, "python"), os.path.join(packages, "node_modules")
    below = [os.path.join(python, "bin"), os.path.join(node, ".bin")]
    system = [os.environ.get("PATH", os.defpath), os.path.join(root, "usr/local/bin")]
    environment = {
        **os.environ,
        "HOME": scratch[0],
        "TMPDIR": scratch[0],
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([*below, *system, os.path.join(root, "usr/bin")]),
        "PYTHONPATH": python,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if os.path.isdir(python):
        site.addsitedir(python)
    return Launcher(host, null, configuration, scratch, environment)


def preload(names: list[str]) -> None:
    """Import what a server will import; what can't be imported, it will try itself."""
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException:  # noqa: S112 - a module may do anything
            continue
    if threading.active_count() > 1:
        os._exit(1)  # a fork would lack the threads
    gc.collect()
    gc.freeze()


def resolved(command: list[str], path: str) -> list[str]:
    """The command with the program's path, and with the interpreter of a script."""
    name, *arguments = command
    if is_python(name):
        return [sys.executable, *arguments]
    program = shutil.which(name, path=path)
    if program is None:
        sys.stderr.write(f"no such command: {name}\n")
        os._exit(127)
    with open(program, "rb") as file:
        shebang = SHEBANG.match(file.read(256))
    if shebang is None:
        return [program, *arguments]
    interpreter, option = (part.decode() if part else "" for part in shebang.groups())
    if os.path.basename(interpreter) == "env":
        interpreter = option
    if is_python(interpreter):
        return [sys.executable, program, *arguments]
    found = shutil.which(interpreter, path=path) or shutil.which(
        os.path.basename(interpreter), path=path
    )
    return [found or interpreter, program, *arguments]


def is_python(program: str) -> bool:
    """Whether a program is Python, under whichever name: in our images, there is this one only."""
    return bool(re.fullmatch(r"python(3(\.\d+)?)?", os.path.basename(program)))


def runs_script(arguments: list[str]) -> bool:
    """Whether the interpreter is given a script or module, and no option of its own."""
    if arguments[:1] == ["-m"]:
        return len(arguments) > 1
    return bool(arguments) and not arguments[0].startswith("-")


def run_script(arguments: list[str], work: str) -> NoReturn:
    """Run a script or `-m module` as the interpreter would, in this process."""
    for name in (*OURS, "runner"):
        sys.modules.pop(name, None)
    for index, mode in enumerate("rww"):
        stream = open(index, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open
        name = ("stdin", "stdout", "stderr")[index]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    gc.enable()
    code = 0
    try:
        if arguments[0] == "-m":
            sys.argv = arguments[1:]
            sys.path[0] = work
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = arguments
            sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            sys.stderr.write(f"{error.code}\n")
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def above(descriptor: int) -> int:
    """A copy out of the way of the numbers that are about to be assigned."""
    while descriptor <= STREAMS:
        descriptor = os.dup(descriptor)
    return descriptor
