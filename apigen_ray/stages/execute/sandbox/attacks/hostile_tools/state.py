"""What a call can see of the calls before it."""

import builtins
import json
import os
import resource
from pathlib import Path
from typing import Any


def state() -> dict[str, Any]:
    """What a call finds when it starts; no attack may change it for the next."""
    scratch = os.environ["TMPDIR"]
    return {
        "processes": sum(_is_of_this_uid(one) for one in os.listdir("/proc") if one.isdigit()),
        "files": os.listdir(scratch),
        "may_write": os.access(scratch, os.W_OK),
        "oom_score": int(Path("/proc/self/oom_score_adj").read_text()),
        "niceness": os.getpriority(os.PRIO_PROCESS, 0),
        "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
        "length": len([1, 2, 3]),
        "text": json.dumps({"sum": 2 + 3}),
        "patched": hasattr(builtins, "patched"),
    }


def _is_of_this_uid(pid: str) -> bool:
    try:
        status = Path("/proc", pid, "status").read_text()
    except OSError:
        return False
    return f"Uid:\t{os.getuid()}\t" in status
