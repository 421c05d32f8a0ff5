"""What a runner does once, before the first call: isolate itself, and import the tools."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import importlib
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

import binding
import child
import seccomp
import service

MAX_FILE = 8 << 20
MAX_OPEN = 1024  # of a program
WATCHDOG_S = 1  # after the host has given up
OURS = ("binding", "child", "cleanup", "egress", "loading", "seccomp", "service")
CO_COROUTINE = 0x80
PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36


def isolate(limits: dict[str, Any], scratch: list[str], *, programs: bool = False) -> None:
    """Set the limits of this process, which every fork inherits; with `programs`, it may start any.

    Programs reserve more address space than they use: what counts is the data that they write.
    """
    libc = ctypes.CDLL(None)
    # No other process of this uid may trace this one, or open its memory or descriptors.
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for kind, value in (
        (resource.RLIMIT_NOFILE, MAX_OPEN if programs else child.MAX_DESCRIPTORS),
        (resource.RLIMIT_DATA if programs else resource.RLIMIT_AS, limits["address_space"]),
        (resource.RLIMIT_FSIZE, MAX_FILE),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_STACK, 8 << 20),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 256),
    ):
        lower_limit(kind, value)
    os.environ.clear()
    os.environ.update(HOME=scratch[0], TMPDIR=scratch[0], LANG="C.UTF-8", PATH="/usr/local/bin")
    os.chdir(scratch[0])
    seccomp.install(limits["egress"], programs)


def lower_limit(kind: int, value: int) -> None:
    """Lower a resource limit, for good. Some kernels (gVisor) lack some of them."""
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, value))


def load(host: int, null: int, configuration: dict[str, Any]) -> child.Functions:
    """Import the tool modules; returns tool name to function. Reports each module, and failures."""
    # It needs no interpreter lock, and ends an import that hangs after the host has given up.
    limit_s = configuration["import_timeout_s"] + WATCHDOG_S
    faulthandler.dump_traceback_later(limit_s, exit=True, file=null)
    sys.path[0] = configuration["tools"]
    for name in OURS:  # a tool module may have the same name
        del sys.modules[name]
    functions = {}
    for tool, (module, function) in configuration["functions"].items():
        if module not in sys.modules:
            service.send_event(host, event="loading", module=module)
        try:
            functions[tool] = binding.bound(resolve(module, function))
        except BaseException as error:  # also SystemExit: a module may do anything
            text = child.describe(error).decode()
            service.send_event(host, event="failed", module=module, function=function, message=text)
            os._exit(1)
    if any(is_async(function) for function in functions.values()):
        importlib.import_module("asyncio")
    faulthandler.cancel_dump_traceback_later()
    return functions


def warm_up(encoder: child.Encoder, null: int) -> None:
    """Run a fork's path here, so that the interpreter has adapted its code, and filled its caches.

    What it would write to memory in a fork, it would write in every fork: each page a copy.
    """
    tools = {"echo": dict, "fail": int}
    calls = b'["echo", {"a": [1, 2.5, "x", null]}]\n["fail", {"a": 1}]'
    source, writable = os.pipe()
    for _ in range(100):
        os.write(writable, child.HEAD.pack(0, len(calls)) + calls)
        requests = child.receive(source)
        os.write(writable, b"+")
        child.make(tools, requests, encoder, source, null)
    os.close(source)
    os.close(writable)


def resolve(module: str, function: str) -> Callable[..., Any]:
    """The function that a module offers under a name: by `get_tools()`, or as an attribute."""
    exported: dict[str, Callable[..., Any]] = vars(importlib.import_module(module))
    if "get_tools" in exported:
        exported = exported["get_tools"]()
    if not callable(exported.get(function)):
        raise LookupError(f"the module has no function {function}")
    return exported[function]


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a plain function is declared `async def`."""
    function = getattr(function, "__wrapped__", function)
    return bool(getattr(getattr(function, "__code__", None), "co_flags", 0) & CO_COROUTINE)
