"""Names that every model can emit (`^[a-zA-Z0-9_-]{1,64}$`), one for each tool.

Nothing is lost: an imported tool keeps the name its source gave it as `original_name`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

MAX_CHARACTERS = 64
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]+")


def legal(name: str, fallback: str = "tool") -> str:
    """The name with other characters as underscores; a long one ends in a hash of what it was."""
    cleaned = re.sub(r"_{2,}", "_", _ILLEGAL.sub("_", name)) if _ILLEGAL.search(name) else name
    if cleaned != name:
        cleaned = cleaned.strip("_")
    return _short(cleaned) if cleaned.strip("_-") else fallback


def unique(names: Sequence[tuple[str, str]]) -> list[str]:
    """Legal names, no two alike, for (name, scope) pairs; a scope is what the name belongs to.

    A name that only one tool has is kept. Those that share one are told apart by their scopes, and
    where that is not enough by a number, in their order.
    """
    plain = [legal(name) for name, _ in names]
    shared = Counter(plain)
    scoped = [
        _short(f"{name}_for_{legal(scope)}") if shared[name] > 1 and scope else name
        for name, (_, scope) in zip(plain, names, strict=True)
    ]
    counts = Counter(scoped)
    taken = set(scoped)  # also by those still to come: a number never takes the name of another
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
