"""What a run asks for, and what its folder still lacks of that."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from apigen_ray.config import RunConfig
from apigen_ray.prompting.prompt_specs import Cell, PromptSpec, PromptSpecs, Task, Tasks, point_id
from apigen_ray.prompting.targets import (
    Tally,
    Wave,
    goals_of,
    next_wave,
    prompt_specs,
    read_wave,
    wave_form,
)
from apigen_ray.records import Outcome
from apigen_ray.report import repeats
from apigen_ray.report.repeats import repeated_ids
from apigen_ray.run_folder.store import RunFolder

WAVES = "asked.json"


class RunPlan:
    """The waves of a run, and its prompts."""

    def __init__(self, folder: RunFolder, config: RunConfig, categories: Sequence[str]) -> None:
        """Continue from the stored waves; the first one asks for what the config says."""
        self._folder = folder
        self._config = config
        self._goals = goals_of(config.points, config.target, categories)
        stored = folder.read_text(WAVES)
        first = {model.name: self._goals for model in config.models}
        self._waves: list[Wave] = [read_wave(w) for w in json.loads(stored)] if stored else [first]
        self.specs = self._specs()
        """The prompts of each model so far."""
        _, self._attempts_before = folder.attempts_by_id()

    @property
    def requested(self) -> int:
        """The data points asked for so far, of all models."""
        return sum(specs.points for specs in self.specs.values())

    def next_tasks(self, asked: Mapping[str, Sequence[Task]] | None = None) -> dict[str, Tasks]:
        """The tasks to go on with: what is missing, or if nothing is, what the target still lacks.

        Args:
            asked: What was asked last. If as much is missing now, nothing is asked again: prompts
                that were put off would be put off once more.
        """
        missing = self.missing()
        if not missing:
            return self.missing() if self._extend() else {}
        if asked is not None and _count(missing) >= _count(asked):
            return {}
        return missing

    def missing(self, prompts_each: int | None = None) -> dict[str, Tasks]:
        """The tasks of each model: prompts with data points that no committed row settles.

        A data point that has ended in an error too often is given up; one that ended in an error
        since this object was made is left for the next attempt at the run.

        Args:
            prompts_each: Only the first prompts of each model.
        """
        settled, tried = self._folder.attempts_by_id()
        most = self._config.max_attempts
        over = {id_ for id_, times in tried.items() if times > self._attempts_before.get(id_, 0)}
        over.update(id_ for id_, times in tried.items() if times >= most)
        tasks: dict[str, Tasks] = {}
        for model, specs in self.specs.items():
            asked = Tasks(specs)
            for place, spec in enumerate(islice(specs, prompts_each)):
                ids = _ids(model, spec)
                wanted = {
                    point: tried.get(id_, 0)
                    for point, id_ in ids
                    if id_ not in over and id_ not in settled
                }
                if wanted:
                    asked.append(place, wanted)
            if asked:
                tasks[model] = asked
        return tasks

    def _extend(self) -> bool:
        """Add a wave for what the target lacks; returns whether there is one.

        Not while data points are in error: whether they would have passed is not known.
        """
        if self._config.target.count == "generated":
            return False
        tallies = self._tallies()
        if any(t.settled < t.asked for cells in tallies.values() for t in cells.values()):
            return False
        wave = next_wave(self._goals, self._config.target, tallies)
        if wave:
            self._waves.append(wave)
            text = json.dumps([wave_form(w) for w in self._waves], indent=2)
            self._folder.write_text(WAVES, text + "\n")
            self.specs = self._specs()
        return bool(wave)

    def shortfalls(self) -> Iterator[str]:
        """What the run will not deliver, a line each."""
        _, tried = self._folder.attempts_by_id()
        most = self._config.max_attempts
        if given_up := sum(times >= most for times in tried.values()):
            yield (
                f"{given_up} data points ended in an error {most} times and are given up; to ask "
                f"for them again, run the same command with --set max_attempts={2 * most}"
            )
        if self._config.target.count == "generated":
            return
        for model, cells in self._tallies().items():
            for cell, tally in cells.items():
                if tally.verified < self._goals[cell]:
                    yield (
                        f"{model}: {cell}: {tally.verified} of {self._goals[cell]} are verified "
                        f"after {tally.asked} were asked for"
                    )

    def surplus_ids(self) -> set[str]:
        """The ids of verified data points beyond the target: those of the last prompts."""
        if self._config.target.count == "generated":
            return set()
        beyond: set[str] = set()
        verified = self._verified()
        for model, specs in self.specs.items():
            left = dict(self._goals)
            for spec in specs:
                for _, id_ in _ids(model, spec):
                    if id_ in verified:
                        left[spec.cell] -= 1
                        if left[spec.cell] < 0:
                            beyond.add(id_)
        return beyond

    def _specs(self) -> dict[str, PromptSpecs]:
        feedback = self._config.feedback
        rounds_of = feedback.round_points if feedback.pool != "off" else 0
        return prompt_specs(self._waves, self._config.sampling.pairs_per_prompt, rounds_of)

    def _tallies(self) -> dict[str, dict[Cell, Tally]]:
        settled, _ = self._folder.attempts_by_id()
        verified = self._verified()
        tallies = {model: {cell: Tally() for cell in self._goals} for model in self.specs}
        for model, specs in self.specs.items():
            for spec in specs:
                tally = tallies[model][spec.cell]
                ids = {id_ for _, id_ in _ids(model, spec)}
                tally.asked += len(ids)
                tally.settled += sum(id_ in settled for id_ in ids)
                tally.verified += len(ids & verified)
        return tallies

    def _verified(self) -> set[str]:
        """The ids of each model's verified data points, without those that repeat another."""
        found: set[str] = set()
        for table in self._folder.tables(["id", "outcome"]):
            rows = zip(table["id"].to_pylist(), table["outcome"].to_pylist(), strict=True)
            found.update(id_ for id_, outcome in rows if outcome == Outcome.VERIFIED)
        return found - repeated_ids(self._folder.tables(repeats.COLUMNS))


def _ids(model: str, spec: PromptSpec) -> Iterator[tuple[int, str]]:
    return ((point, point_id(model, spec.index, point)) for point in range(spec.count))


def _count(tasks: Mapping[str, Sequence[Task]]) -> int:
    return sum(map(len, tasks.values()))
