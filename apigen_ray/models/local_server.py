"""llama.cpp's server as a child process: `python -m apigen_ray.models.local_server SETTINGS`.

SETTINGS is a JSON object: `path`, `alias`, `port`, `context_tokens` of each slot, `parallel` slots
and `threads`. It prints its URL when it answers, and serves until standard input is closed, by
whatever end of the process that holds the other side of it. All else goes to standard error.
"""

import json
import os
import signal
import sys
import threading
import time
from typing import Any

HOST = "127.0.0.1"


def serve_until_orphaned(settings: dict[str, Any]) -> None:
    """What the child does. The parent never writes; the kernel closes its end when it dies."""
    # llama.cpp may print anywhere; what the parent reads is ours alone.
    parent = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    threading.Thread(target=_exit_with_stdin, daemon=True).start()
    server = _started(settings)
    # `ray job stop` sends it to all descendants of a driver, which still wants answers then.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(server.listening_address, file=parent, flush=True)
    while True:
        time.sleep(3600)


def _started(settings: dict[str, Any]) -> Any:
    """llama.cpp's server, once it has loaded the model and answers."""
    import xllamacpp  # noqa: PLC0415 - the extra `local`; nobody else needs it

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["alias"]}
    params.hostnames = [HOST]
    params.port = settings["port"]
    params.n_parallel = settings["parallel"]
    # Each slot has an equal part of it.
    params.n_ctx = settings["context_tokens"] * settings["parallel"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    # What fits was decided before: it would shrink the context without a word.
    params.fit_params = False
    # Up to 8 GiB of old prompts, copied for each request. A slot keeps its last prompt anyhow.
    params.cache_ram_mib = 0
    # No page of a browser has any business here.
    params.cors_origins = f"http://{HOST}"
    params.ui = False
    return xllamacpp.Server(params)


def _exit_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    serve_until_orphaned(json.loads(sys.argv[1]))
