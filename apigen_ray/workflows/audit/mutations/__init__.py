"""Known ways to make a right row wrong: small pure functions with names.

Each takes a case that is right, another one to take things from, and what it may draw from. It
returns a case that is wrong for sure, or None where it can't make one: it changes only what the
query states, to what it does not state, and nothing that would be as right as before.

Those of pairs are applied to one turn of a conversation; a few are of conversations alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from apigen_ray.workflows.audit.cases import Case
from apigen_ray.workflows.audit.mutations import calls, conversations, form, values
from apigen_ray.workflows.audit.mutations.turns import as_pair, in_a_turn

_MOST_DONORS = 60
"""Other rows that are tried for one that a mutation can use."""


class Group(StrEnum):
    """What a mutation spoils, and so what should find it."""

    FORMAT = "format"
    """The form: stage 1."""
    EXECUTION = "execution"
    """What can be executed: stage 2."""
    GROUNDING = "grounding"
    """A value that does not stand in the query: stage 3, without a judge."""
    COVERAGE = "coverage"
    """Something the query asks for is left out, or more is done: coverage, or the judge."""
    MEANING = "meaning"
    """What only someone can see who understands the query: the judge."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to make a right row wrong."""

    apply: Callable[[Case, Case, Random], Case | None]
    group: Group
    from_another: bool = False
    """It takes something from another row."""
    of_conversation: bool = False
    """It is for whole conversations; the others are for pairs, and so for their turns."""
    changes_result: bool = False
    """It is wrong for sure only if the calls return something else than before."""

    @property
    def name(self) -> str:
        """Its name in tables and records."""
        return self.apply.__name__


MUTATIONS: Mapping[str, Mutation] = {
    mutation.name: mutation
    for mutation in (
        Mutation(form.required_dropped, Group.FORMAT),
        Mutation(form.unknown_argument, Group.FORMAT),
        Mutation(form.wrong_type, Group.FORMAT),
        Mutation(form.out_of_range, Group.FORMAT),
        Mutation(form.unknown_function, Group.FORMAT),
        Mutation(form.repeated_call, Group.FORMAT),
        Mutation(calls.none_for_calls, Group.FORMAT),
        Mutation(values.impossible_date, Group.EXECUTION),
        Mutation(values.list_emptied, Group.EXECUTION),
        Mutation(calls.other_query, Group.GROUNDING, from_another=True),
        Mutation(values.off_by_one, Group.GROUNDING),
        Mutation(values.times_ten, Group.GROUNDING),
        Mutation(values.times_thousand, Group.GROUNDING),
        Mutation(values.date_shifted, Group.GROUNDING),
        Mutation(values.text_replaced, Group.GROUNDING, from_another=True),
        Mutation(calls.dropped_call, Group.COVERAGE),
        Mutation(calls.added_call, Group.COVERAGE, from_another=True),
        Mutation(calls.calls_for_none, Group.COVERAGE, from_another=True),
        Mutation(values.item_dropped, Group.COVERAGE),
        Mutation(values.optional_dropped, Group.COVERAGE),
        Mutation(conversations.turn_dropped, Group.COVERAGE, of_conversation=True),
        Mutation(values.sign_flipped, Group.MEANING),
        Mutation(values.arguments_exchanged, Group.MEANING, changes_result=True),
        Mutation(calls.sibling_function, Group.MEANING, from_another=True, changes_result=True),
        Mutation(values.choice_replaced, Group.MEANING),
        Mutation(values.boolean_flipped, Group.MEANING),
        Mutation(calls.result_replaced, Group.MEANING, from_another=True),
        Mutation(conversations.answer_off, Group.MEANING, of_conversation=True),
        Mutation(
            conversations.answer_replaced, Group.MEANING, from_another=True, of_conversation=True
        ),
    )
}
"""All mutations by name, in the order of tables."""


def mutate(case: Case, mutation: Mutation, donors: Sequence[Case], random: Random) -> Case | None:
    """The case made wrong in one way, or None where that can't be done for sure.

    Args:
        case: A right row.
        mutation: How to make it wrong.
        donors: Other right rows, from which queries, calls and values are taken.
        random: What is drawn from.
    """
    others = [donor for donor in donors if donor.id != case.id] if mutation.from_another else []
    for donor in random.sample(others, min(_MOST_DONORS, len(others))) or [case]:
        changed = _applied(mutation, case, donor, random)
        if changed is not None:
            return replace(changed, id=f"{case.id}/{mutation.name}")
    return None


def _applied(mutation: Mutation, case: Case, donor: Case, random: Random) -> Case | None:
    if mutation.of_conversation:
        return mutation.apply(case, donor, random) if case.messages else None
    if case.messages is None:
        return mutation.apply(case, as_pair(donor), random)
    new = mutation.group is Group.GROUNDING
    return in_a_turn(mutation.apply, case, as_pair(donor), random, new=new)
