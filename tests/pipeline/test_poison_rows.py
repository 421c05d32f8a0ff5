"""A row that kills its process is found out in three deaths, and costs no other row anything."""

import asyncio

import pytest

from apigen_ray.pipeline.poison_rows import CRASH_LIMIT, CrashGuard, CrashTracker


class Local:
    """A crash tracker that outlives the `CrashGuard` of these tests."""

    def __init__(self):
        self.list = CrashTracker()

    async def begin(self, stage, ids):
        return self.list.begin(stage, list(ids))

    async def begin_alone(self, stage, id_):
        return self.list.begin_alone(stage, id_)

    async def done(self, stage, ids):
        self.list.done(stage, list(ids))


class Died(BaseException):
    """In place of the end of a process."""


async def lives(watcher, ids, deadly):
    """The results, and how many processes it took; a process that dies leaves all behind."""
    deaths = 0

    async def step(id_):
        await asyncio.sleep(0)
        if id_ in deadly:
            raise Died
        return f"{id_} done"

    async def refuse(id_):
        return f"{id_} refused"

    while True:
        work = CrashGuard("stage", watcher)
        try:
            return await work.each({id_: id_ for id_ in ids}, step, refuse), deaths
        except Died:
            deaths += 1
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)


@pytest.mark.parametrize("deadly", [{"c"}, {"a", "e"}])
async def test_the_deadly_are_refused_and_all_others_done(deadly):
    results, deaths = await lives(Local(), "abcdef", deadly)
    assert results == [f"{i} refused" if i in deadly else f"{i} done" for i in "abcdef"]
    assert deaths <= CRASH_LIMIT * len(deadly)


async def test_what_dies_at_one_stage_is_innocent_at_another():
    watcher = Local()
    for _ in range(CRASH_LIMIT):
        await watcher.begin("execute", ["a"])
    assert await watcher.begin("judge", ["a"]) == frozenset()


async def test_what_is_done_starts_anew():
    watcher = Local()
    for _ in range(2 * CRASH_LIMIT):
        assert await watcher.begin("stage", ["a"]) == frozenset()
        await watcher.done("stage", ["a"])


def test_what_is_at_work_is_counted_by_stage():
    tracker = CrashTracker()
    tracker.begin("judge", ["a", "b"])
    tracker.begin("execute", ["a", "c"])
    tracker.done("judge", ["b"])
    assert tracker.in_progress() == {"judge": 1, "execute": 2}
