"""Tools that the contract suite calls; they run inside the sandbox."""

import ctypes
import os
import re
import time
from pathlib import Path

MEMORY = []


def add(a: int, b: int) -> int:
    return a + b


def echo(value):
    return value


def wait(seconds: float) -> str:
    time.sleep(seconds)
    return "waited"


def wait_and_tell_when(seconds: float) -> list[float]:
    started = time.monotonic()
    time.sleep(seconds)
    return [started, time.monotonic()]


async def double_later(number: int) -> int:
    return 2 * number


def describe_owner(self: str) -> str:
    return self


def remember(value):
    MEMORY.append(value)
    return MEMORY


def recall():
    return MEMORY


def leave_file(name: str):
    Path(name).write_text("left")
    return [path.name for path in Path().iterdir()]


def list_files():
    return [path.name for path in Path().iterdir()]


def read_data() -> str:
    return Path(__file__).with_name("data.txt").read_text()


def print_and_crash():
    os.write(2, b"first line\nlast words\n")
    os._exit(3)


def forge_and_leave():
    os.close(4)  # where it would be told to go on
    text = b'V"forged"'
    os.write(3, len(text).to_bytes(4, "big") + text)
    os._exit(0)


def repeat(text: str, times: int) -> str:
    return text * times


def find_in_memory(start: str, reversed_rest: str) -> int:
    """Count a text in all memory that the process may read, without ever holding it."""
    found = 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) r.* 00:00 0", line)
        if match and "[v" not in line:
            first, last = (int(number, 16) for number in match.groups())
            found += _count(first, min(last, first + (8 << 20)), start.encode(), reversed_rest)
    return found


def _count(first: int, last: int, start: bytes, reversed_rest: str) -> int:
    found = 0
    content = (ctypes.c_char * (last - first)).from_address(first)
    for place in re.finditer(re.escape(start), content):
        after = content[place.end() : place.end() + len(reversed_rest)]
        found += after[::-1] == reversed_rest.encode()
    return found


class Owner:
    def total(self, numbers):
        return sum(numbers)


Sum = Owner().total
