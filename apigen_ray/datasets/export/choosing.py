"""The examples of an export: without duplicates and test data, and with those derived from them."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from apigen_ray.datasets.export.conversation import AS_IT_IS, View
from apigen_ray.datasets.export.dedup import Cause, Removed, TestData, clean, is_tested
from apigen_ray.datasets.export.examples import (
    COLUMNS,
    COLUMNS_WITHOUT_TOOLS,
    Derived,
    Example,
    Format,
    read_examples,
)
from apigen_ray.datasets.export.irrelevance import Deriving, may_be_derived_from
from apigen_ray.datasets.export.right_turns import weighted
from apigen_ray.records import Outcome, Style
from apigen_ray.run_folder.rows import with_value
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.conversation import turns_of


@dataclass(slots=True)
class Chosen:
    """What is written of a run folder."""

    folder: RunFolder
    view: View
    removed: list[Removed]
    derived: dict[str, Derived] = field(default_factory=dict)
    """The ids of those that are no verified data points, some of which may be removed."""
    irrelevant: list[Example] = field(default_factory=list)

    @property
    def without(self) -> set[str]:
        """The ids of what is left out."""
        return {found.id for found in self.removed}

    def examples(self) -> Iterator[Example]:
        """What is written: in the order of the run folder, then those without a right call."""
        without = self.without
        for example in read_examples(self.folder, COLUMNS, self.view):
            if example.id not in without:
                yield example
        yield from (example for example in self.irrelevant if example.id not in without)

    def counts(self) -> Counter[str]:
        """How many of those written are derived, by what they are."""
        without = self.without
        return Counter(str(kind) for id_, kind in self.derived.items() if id_ not in without)


def choose(
    folder: RunFolder, format_: Format, tests: TestData, view: View, irrelevance: float
) -> Chosen:
    """Look at all examples of a run folder.

    Args:
        folder: The run folder.
        format_: The format to be written.
        tests: What must not be trained on.
        view: What examples have of data points.
        irrelevance: How many examples without a right call are added, for each that is written.
    """
    chosen = Chosen(folder, view, [])
    several: set[str] = set()
    sources: dict[str, Example] = {}
    pool: dict[str, tuple[str, set[str]]] = {}
    columns = COLUMNS if tests.signatures or irrelevance else COLUMNS_WITHOUT_TOOLS
    if irrelevance:
        columns = (*columns, "categories")

    def noted() -> Iterator[Example]:
        for example in read_examples(folder, columns, view if view.parts else AS_IT_IS):
            if example.derived:
                chosen.derived[example.id] = example.derived
                if example.style == Style.MULTI_TURN:
                    several.add(example.id)
            elif irrelevance:
                sources[example.id] = replace(example, tools=list(_known(pool, example)))
            yield example

    chosen.removed = clean(noted(), tests)
    if not format_.conversations:
        ids = {*several, *_with_several_turns(folder)}
        chosen.removed += [Removed(id_, Cause.SEVERAL_TURNS, "") for id_ in ids]
    if irrelevance:
        without = chosen.without
        kept = [source for id_, source in sources.items() if id_ not in without]
        deriving = Deriving(
            {tool: found for tool, found in pool.values() if not is_tested(tool, tests)}
        )
        written = len(kept) + chosen.counts().total()
        found = deriving.examples(
            [source for source in kept if may_be_derived_from(source)], round(irrelevance * written)
        )
        repeats = {each.id for each in clean(found, TestData())}
        chosen.irrelevant = [_seen(each, view) for each in found if each.id not in repeats]
        chosen.derived |= dict.fromkeys((e.id for e in chosen.irrelevant), Derived.IRRELEVANT)
    return chosen


def _known(pool: dict[str, tuple[str, set[str]]], example: Example) -> Iterator[str]:
    """The tools of an example, each in memory once: few are distinct.

    A tool is of a category that all rows have in which it is shown.
    """
    for tool in example.tools:
        known, categories = pool.setdefault(tool, (tool, set(example.categories)))
        categories &= set(example.categories)
        yield known


def _seen(example: Example, view: View) -> Example:
    """An example without calls, as the view has it."""
    if not view.weights:
        return example
    return replace(example, conversation=list(weighted(example.messages)))


def _with_several_turns(folder: RunFolder) -> Iterator[str]:
    """The ids of verified conversations in which the assistant makes calls more than once.

    A chain is none of them: its calls refer to each other, as those of a pair may.
    """
    for table in folder.tables(["id", "style", "messages", "turns", "outcome"]):
        for row in with_value(table, "outcome", Outcome.VERIFIED).to_pylist():
            if row["style"] == Style.SEQUENTIAL or len(json.loads(row["turns"] or "[]")) < 2:
                continue
            if len(turns_of(json.loads(row["messages"]))) > 1:
                yield row["id"]
