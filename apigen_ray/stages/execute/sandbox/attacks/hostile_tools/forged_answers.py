"""Attacks that write the answer themselves, past the runner's code."""

import os
import struct
import time

from .registry import attack
from .system import CHANNEL


def _forge(text: bytes) -> bytes:
    return struct.pack("!I", len(text)) + text


@attack("crashed")
def answer_before_the_answer() -> str:
    """A forged answer followed by bytes is recognised."""
    os.write(CHANNEL, _forge(b'V"forged"') + b"x")
    return "real"


@attack("crashed")
def answer_twice() -> None:
    """Two answers to one call are recognised."""
    os.write(CHANNEL, _forge(b"V1") + _forge(b"V2"))
    time.sleep(3600)


@attack("crashed")
def announce_4_gb() -> None:
    """An answer that announces a huge length is refused unread."""
    os.write(CHANNEL, b"\xff\xff\xff\xff")
    time.sleep(3600)


@attack("crashed")
def answer_of_unknown_kind() -> None:
    """An answer of no known kind is recognised."""
    os.write(CHANNEL, _forge(b"?1"))
    os._exit(0)


@attack("not_serializable")
def answer_broken_json() -> None:
    """A forged answer that is not JSON is refused."""
    os.write(CHANNEL, _forge(b"V{"))
    os._exit(0)


@attack("not_serializable")
def answer_deep_json() -> None:
    """A forged answer that is nested too deep to read is refused."""
    os.write(CHANNEL, _forge(b"V" + b"[" * 100_000 + b"]" * 100_000))
    os._exit(0)


@attack("not_serializable")
def answer_rather_deep_json() -> None:
    """A forged answer that is nested too deep to work with is refused."""
    os.write(CHANNEL, _forge(b"V" + b"[" * 500 + b"]" * 500))
    os._exit(0)


@attack("not_serializable")
def answer_nan() -> None:
    """A forged NaN is refused."""
    os.write(CHANNEL, _forge(b"V[NaN]"))
    os._exit(0)


@attack("not_serializable")
def answer_infinity() -> None:
    """A forged number too large for a float is refused."""
    os.write(CHANNEL, _forge(b"V[1e999]"))
    os._exit(0)


@attack("not_serializable")
def answer_bad_utf8() -> None:
    """A forged answer that is not UTF-8 is refused."""
    os.write(CHANNEL, _forge(b'V"\xff\xfe"'))
    os._exit(0)


@attack("not_serializable")
def answer_lone_surrogate() -> None:
    """A forged lone surrogate is refused."""
    os.write(CHANNEL, _forge(b'V"\\ud800"'))
    os._exit(0)
