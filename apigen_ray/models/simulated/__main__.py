"""A child process of `serving`: `python -m apigen_ray.models.simulated HOST ENDPOINT_AS_JSON`."""

import os
import signal
import sys
import threading

from apigen_ray.models.simulated.judging import read_known
from apigen_ray.models.simulated.server import build_app, listen, profile_named, run_app
from apigen_ray.models.simulated.serving import SimulatedEndpoint


def serve_until_orphaned(host: str, endpoint: SimulatedEndpoint) -> None:
    """The child process: print the port, then serve until standard input is closed.

    The parent never writes to it. The kernel closes it when the parent dies, even by SIGKILL.
    """
    # `ray job stop` sends it to all descendants of a driver, which still needs replies then.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    listener = listen(host, 0)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_exit_with_stdin, daemon=True).start()
    profile = profile_named(endpoint.profile, endpoint.latency_s)
    known = read_known(endpoint.known) if endpoint.known else None
    app = build_app(endpoint.profile, profile, endpoint.seed, log=None, known=known)
    run_app(app, listener, handle_signals=False)


def _exit_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


serve_until_orphaned(sys.argv[1], SimulatedEndpoint.model_validate_json(sys.argv[2]))
