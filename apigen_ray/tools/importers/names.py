"""Legal and unique tool names: `^[a-zA-Z0-9_-]{1,64}$`, which every model API accepts.

An imported tool keeps the name its source gave it as `original_name`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

MAX_CHARACTERS = 64
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]+")


def legal(name: str, fallback: str = "tool") -> str:
    """The name with underscores for illegal characters; a long one is cut and ends in its hash."""
    cleaned = re.sub(r"_{2,}", "_", _ILLEGAL.sub("_", name)) if _ILLEGAL.search(name) else name
    if cleaned != name:
        cleaned = cleaned.strip("_")
    return _short(cleaned) if cleaned.strip("_-") else fallback


def unique(names: Sequence[tuple[str, str]]) -> list[str]:
    """Legal and unique names for (name, scope) pairs; the scope is the API or server of the name.

    A name that only one tool has is kept. Tools that share one get their scope as a suffix, and
    where that is not enough a number, in their order.
    """
    plain = [legal(name) for name, _ in names]
    shared = Counter(plain)
    scoped = [
        _short(f"{name}_for_{legal(scope)}") if shared[name] > 1 and scope else name
        for name, (_, scope) in zip(plain, names, strict=True)
    ]
    counts = Counter(scoped)
    taken = set(scoped)  # also those still to come: a numbered name must not take another tool's
    result, seen = [], Counter[str]()
    for name in scoped:
        seen[name] += 1
        chosen = name
        while counts[name] > 1 and seen[name] > 1 and chosen in taken:
            chosen = _short(f"{name}_{seen[name]}")
            seen[name] += chosen in taken
        taken.add(chosen)
        result.append(chosen)
    return result


def _short(name: str) -> str:
    if len(name) <= MAX_CHARACTERS:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{name[: MAX_CHARACTERS - 9]}_{digest}"
