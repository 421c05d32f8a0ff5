"""HTTP for tools, where the host lets them have it: through its proxy, and to nobody else.

The sandbox's own network namespace has a loopback interface and nothing beside it. The runner
listens there before any tool module is imported, and hands the listening socket over to the host,
whose proxy answers at it from outside. So nothing runs in the sandbox that a call could kill, flood
or take over; the filter lets calls open TCP connections, and this port is all that they reach.

Not covered: what a call tells a listed host, and what that does with it. The kernel's TCP is one
more thing that calls can attack.
"""

from __future__ import annotations

import os
import socket

WAITING = 64  # connections that the kernel keeps until the host takes them
VARIABLES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


def hand_over(host: int) -> dict[str, str]:
    """Listen, and send the socket to the host; returns the environment that leads tools to it."""
    with socket.socket() as listener, socket.socket(fileno=os.dup(host)) as channel:
        listener.bind(("127.0.0.1", 0))
        listener.listen(WAITING)
        socket.send_fds(channel, [b"L"], [listener.fileno()])
        url = "http://{}:{}".format(*listener.getsockname())
    return dict.fromkeys(VARIABLES, url)
