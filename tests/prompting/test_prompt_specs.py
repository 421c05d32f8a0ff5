"""Millions of prompts: what is kept in a few bytes is what was put in."""

from apigen_ray.prompting.prompt_specs import Cell, PromptSpec, PromptSpecs, Task, Tasks, plan
from apigen_ray.records import Style

SPECS = [
    PromptSpec(0, Style.SIMPLE, 2),
    PromptSpec(3, Style.PARALLEL, 1, round=1, category="Finance"),
    PromptSpec(70_000, Style.SIMPLE, 2, round=9),
]


def test_specifications_come_back_as_they_were():
    kept = PromptSpecs(SPECS)
    assert list(kept) == SPECS
    assert kept[-1] == SPECS[-1]
    assert list(kept[1:]) == SPECS[1:]
    assert (len(kept), kept.points) == (3, 5)


def test_tasks_know_which_points_are_wanted_and_how_often_they_were_tried():
    tasks = Tasks(PromptSpecs(SPECS))
    tasks.append(0, {0: 0, 1: 0})
    tasks.append(2, {1: 3})
    expected = [Task(SPECS[0], {0: 0, 1: 0}), Task(SPECS[2], {1: 3})]
    assert list(tasks) == expected
    assert tasks[-1] == expected[-1]
    assert tasks[:1] == expected[:1]


def test_prompts_that_are_wanted_whole_take_a_few_bytes_each():
    specs = plan({Cell(Style.SIMPLE): 1_000, Cell(Style.PARALLEL): 1_000}, 1)
    tasks = Tasks(specs)
    for place in range(len(specs)):
        tasks.append(place, {0: 0})
    columns = [*vars(specs).values(), tasks._places]
    assert sum(c.itemsize * len(c) for c in columns if hasattr(c, "itemsize")) == 16 * 2_000
    assert not tasks._tried
