"""Mutations of single values: only such as the query states, so that no other value is right."""

import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from random import Random

from apigen_ray.records import Json
from apigen_ray.workflows.audit.cases import Case
from apigen_ray.workflows.audit.mutations.leaves import (
    Leaf,
    all_fit,
    is_number,
    leaves,
    stated_numbers,
    states,
    with_arguments,
    with_value,
)

DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?=$|[T ])")
_SHORTEST_TEXT = 3


def _one(random: Random, changed: Iterable[Case]) -> Case | None:
    """One of the changed cases that stage 1 accepts."""
    accepted = [case for case in changed if all_fit(case)]
    return random.choice(accepted) if accepted else None


# --- numbers


def off_by_one(case: Case, _donor: Case, random: Random) -> Case | None:
    """A number is one larger or smaller."""
    step = random.choice((-1, 1))
    return _number(case, random, lambda value: value + step)


def times_ten(case: Case, _donor: Case, random: Random) -> Case | None:
    """A number is ten times as large."""
    return _number(case, random, lambda value: value * 10)


def times_thousand(case: Case, _donor: Case, random: Random) -> Case | None:
    """A number is a thousand times as large."""
    return _number(case, random, lambda value: value * 1000)


def sign_flipped(case: Case, _donor: Case, random: Random) -> Case | None:
    """A number has the other sign."""
    stated = _stated_numbers(case)
    return _one(random, (with_value(case, leaf, _plain(-value)) for leaf, value in stated))


def _number(case: Case, random: Random, change: Callable[[float], float]) -> Case | None:
    numbers = stated_numbers(case.pair.query)
    changed = ((leaf, _plain(change(value))) for leaf, value in _stated_numbers(case))
    return _one(
        random,
        (
            with_value(case, leaf, value)
            for leaf, value in changed
            if abs(value) not in numbers and value != leaf.default
        ),
    )


def _stated_numbers(case: Case) -> list[tuple[Leaf, float]]:
    """The leaves that are numbers other than zero which the query has in digits."""
    return [
        (leaf, leaf.value)
        for leaf in leaves(case)
        if isinstance(leaf.value, int | float)
        and is_number(leaf.value)
        and leaf.value
        and not leaf.choices
        and states(case.pair.query, leaf.value)
    ]


def _plain(value: float) -> float:
    """A number without the noise of binary fractions: 0.1 * 10 + 186.4."""
    return value if isinstance(value, int) else round(value, 9)


# --- dates


def date_shifted(case: Case, _donor: Case, random: Random) -> Case | None:
    """A date is some days earlier or later, on a day that the query does not name."""
    numbers = stated_numbers(case.pair.query)
    days = [sign * n for n in range(1, 28) for sign in (-1, 1)]
    random.shuffle(days)
    changed = []
    for leaf, found in _stated_dates(case):
        shifted = (found + timedelta(days=n) for n in days)
        unnamed = next((each for each in shifted if each.day not in numbers), None)
        if unnamed:
            changed.append(with_value(case, leaf, str(unnamed) + str(leaf.value)[10:]))
    return _one(random, changed)


def impossible_date(case: Case, _donor: Case, random: Random) -> Case | None:
    """A date is one that does not exist."""
    return _one(
        random,
        (
            with_value(case, leaf, f"{found.year:04}-02-30{str(leaf.value)[10:]}")
            for leaf, found in _stated_dates(case)
        ),
    )


def _stated_dates(case: Case) -> list[tuple[Leaf, date]]:
    """The leaves that are dates whose day the query names."""
    numbers = stated_numbers(case.pair.query)
    found = []
    for leaf in leaves(case):
        match = DATE.match(leaf.value) if isinstance(leaf.value, str) else None
        try:
            day = date.fromisoformat(match[1]) if match else None
        except ValueError:
            continue
        if day and day.day in numbers:
            found.append((leaf, day))
    return found


# --- texts, choices, yes and no


def text_replaced(case: Case, donor: Case, random: Random) -> Case | None:
    """A text is one from another row."""
    query = case.pair.query
    others = [v for leaf in leaves(donor) if (v := _text(leaf)) and not _overlap(v, query)]
    return _one(
        random,
        (
            with_value(case, leaf, other)
            for leaf in leaves(case)
            if (own := _text(leaf)) and states(query, own)
            for other in others
            if not _overlap(own, other)
        ),
    )


def _text(leaf: Leaf) -> str | None:
    """The value of a leaf that is free text."""
    value = leaf.value
    if not isinstance(value, str) or leaf.choices or len(value) < _SHORTEST_TEXT:
        return None
    return None if DATE.match(value) or not re.search(r"[^\W\d_]", value) else value


def _overlap(one: str, other: str) -> bool:
    one, other = one.casefold(), other.casefold()
    return one in other or other in one


def choice_replaced(case: Case, _donor: Case, random: Random) -> Case | None:
    """A value of an enum is another one, where the row's own is not just the default."""

    def others(leaf: Leaf) -> list[Json]:
        return [
            other
            for other in leaf.choices
            if other is not None and not _alike(str(other), str(leaf.value))
            and not states(case.pair.query, str(other).replace("_", " "))
        ]  # fmt: skip

    chosen = [
        leaf
        for leaf in leaves(case)
        if leaf.value in leaf.choices and leaf.value not in (None, leaf.default)
    ]
    return _one(random, (with_value(case, leaf, o) for leaf in chosen for o in others(leaf)))


def _alike(one: str, other: str) -> bool:
    """Whether two choices may mean the same: `inch` and `inches`."""
    one, other = one.casefold(), other.casefold()
    return one.startswith(other) or other.startswith(one)


def boolean_flipped(case: Case, _donor: Case, random: Random) -> Case | None:
    """A yes is a no, where the row's own is not just the default."""
    return _one(
        random,
        (
            with_value(case, leaf, not leaf.value)
            for leaf in leaves(case)
            if isinstance(leaf.value, bool) and leaf.value != leaf.default
        ),
    )


# --- several values


def arguments_exchanged(case: Case, _donor: Case, random: Random) -> Case | None:
    """Two arguments of one type have each other's value, in a call where that makes a difference.

    It makes none where a function takes them in any order, as their names often tell: `a` and `b`,
    `x1` and `x2`. The results tell it, too; see `Mutation.changes_result`.
    """
    changed = []
    for index, call in enumerate(case.pair.calls):
        stated = [(k, v) for k, v in call.arguments.items() if states(case.pair.query, v)]
        for at, (one, first) in enumerate(stated):
            for other, second in stated[at + 1 :]:
                same_type = is_number(first) == is_number(second)
                if same_type and first != second and not _interchangeable(one, other):
                    swapped = call.arguments | {one: second, other: first}
                    changed.append(with_arguments(case, index, swapped))
    return _one(random, changed)


_COUNTED = re.compile(r"(?:first|second|third|left|right|_?[a-z]|_?\d+)$|^(?:first|second|third)_")


def _interchangeable(one: str, other: str) -> bool:
    return _COUNTED.sub("", one) == _COUNTED.sub("", other)


def item_dropped(case: Case, _donor: Case, random: Random) -> Case | None:
    """A list lacks one of the numbers or texts that the query gives for it."""
    changed = []
    for index, call in enumerate(case.pair.calls):
        for name, value in call.arguments.items():
            if not isinstance(value, list) or len(value) < 3:
                continue
            for at, item in enumerate(value):
                if states(case.pair.query, item) and value.count(item) == 1:
                    kept = [*value[:at], *value[at + 1 :]]
                    changed.append(with_arguments(case, index, call.arguments | {name: kept}))
    return _one(random, changed)


def list_emptied(case: Case, _donor: Case, random: Random) -> Case | None:
    """A list has nothing of what the query gives for it."""
    return _one(
        random,
        (
            with_arguments(case, index, call.arguments | {name: []})
            for index, call in enumerate(case.pair.calls)
            for name, value in call.arguments.items()
            if isinstance(value, list) and any(states(case.pair.query, item) for item in value)
        ),
    )


def optional_dropped(case: Case, _donor: Case, random: Random) -> Case | None:
    """An argument that may be left out is left out, though the query gives its value."""
    return _one(
        random,
        (
            with_arguments(
                case,
                leaf.call,
                {
                    k: v
                    for k, v in case.pair.calls[leaf.call].arguments.items()
                    if k != leaf.path[0]
                },
            )
            for leaf in leaves(case)
            if leaf.is_argument
            and leaf.value != leaf.default
            and states(case.pair.query, leaf.value)
        ),
    )
