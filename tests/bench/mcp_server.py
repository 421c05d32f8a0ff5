"""A server of a few tools, written with the official SDK, and of what hostile ones do."""

import os
import sys
import time
from pathlib import Path

from mcp.server import MCPServer

server = MCPServer("small")
notes: list[str] = []


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def note(text: str) -> list[str]:
    """Keep a note, and return all notes."""
    notes.append(text)
    file = Path("notes.txt")
    kept = file.read_text() if file.exists() else ""
    file.write_text(kept + text + "\n")
    return notes + file.read_text().split()


@server.tool()
def fail(why: str) -> str:
    """Raise."""
    raise ValueError(why)


@server.tool()
def wait(seconds: float) -> str:
    """Sleep."""
    time.sleep(seconds)
    return "done"


@server.tool()
def leave(status: int) -> str:
    """Exit."""
    print("last words", file=sys.stderr, flush=True)
    os._exit(status)


if __name__ == "__main__":
    server.run()
