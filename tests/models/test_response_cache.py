"""Every reply is kept before it is used, by whoever asks, whatever dies; and is used again."""

import asyncio
import os
import queue
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apigen_ray.errors import BudgetSpent
from apigen_ray.models import reply_store
from apigen_ray.models.budget import Limits
from apigen_ray.models.caching_model import CachingModel, request_key
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.reply_store import ReplyStore
from apigen_ray.models.response_cache import ResponseCache
from apigen_ray.records import Message, Reply

ENDPOINT = Endpoint(name="m", base_url="http://here/v1", model="m-1")
HELLO = (Message("user", "hello"),)


def reply(text="fine", cost=0.5):
    return Reply(text, "stop", 10, 5, cost, 0.1, 1)


class Local:
    """A response cache in this process."""

    def __init__(self, cache):
        self.cache = cache
        self.writes = []

    async def known(self):
        return self.cache.known()

    async def get(self, key):
        return self.cache.get(key)

    async def put(self, entries):
        self.writes.append(len(entries))
        return self.cache.put(entries)


class Counting:
    """A model that numbers its answers."""

    def __init__(self):
        self.asked = 0

    async def complete(self, messages, schema=None, *, sample="", tools=()):
        self.asked += 1
        return reply(f"answer {self.asked}")

    async def close(self): ...


def keeping(folder, limits=None, endpoint=ENDPOINT):
    model, local = Counting(), Local(ResponseCache(folder, limits or Limits()))
    return CachingModel(model, endpoint, local), model, local


def are_kept(store, *keys):
    return len(store.known()) == len(keys) and all(key in store.known() for key in keys)


def test_a_reply_comes_back_as_it_was_also_from_another_process(tmp_path):
    odd = Reply('ß "\n', "length", 1, 2, 0.1 + 0.2, 0.3, 4)
    store = ReplyStore(tmp_path)
    store.put([("a", odd), ("b", reply("x" * 200_000))])
    store.put([("c", reply("third"))])
    for reader in (store, ReplyStore(tmp_path)):
        assert are_kept(reader, "a", "b", "c")
        assert "d" not in reader.known()
        assert reader.get("d") is None
        assert reader.get("a") == odd
        assert reader.get("b").text == "x" * 200_000
        assert reader.get("c").text == "third"
        assert reader.cost_usd == pytest.approx(odd.cost_usd + 1)
        assert reader.tokens == 3 + 15 + 15


def test_two_writers_at_once_do_not_disturb_each_other(tmp_path):
    one, two = ReplyStore(tmp_path), ReplyStore(tmp_path)
    for number in range(20):
        one.put([(f"one{number}", reply())])
        two.put([(f"two{number}", reply())])
    assert len(ReplyStore(tmp_path).known()) == 40


@pytest.mark.parametrize("damage", ["torn", "garbage", "zeros"])
def test_a_torn_tail_costs_only_itself(tmp_path, damage):
    store = ReplyStore(tmp_path)
    store.put([("a", reply())])
    store.put([("b", reply("second"))])
    (file,) = tmp_path.iterdir()
    if damage == "torn":
        file.write_bytes(file.read_bytes()[:-7])
    else:
        end = b"\0" * 100 if damage == "zeros" else b"no gzip at all"
        file.write_bytes(file.read_bytes() + end)
    again = ReplyStore(tmp_path)
    assert are_kept(again, *("a" if damage == "torn" else "ab"))
    again.put([("b", reply("anew"))])
    assert ReplyStore(tmp_path).get("b").text == "anew"


def test_what_was_put_survives_sigkill(tmp_path):
    program = f"""
from pathlib import Path
from apigen_ray.models.reply_store import ReplyStore
from apigen_ray.records import Reply
store = ReplyStore(Path({str(tmp_path)!r}))
number = 0
while True:
    store.put([(str(number), Reply("x" * 1000, "stop", 1, 1, 0.0, 0.1, 1))])
    number += 1
    print(number, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    while process.stdout.readline() != "50\n":
        pass
    os.kill(process.pid, signal.SIGKILL)
    said = [50, *map(int, process.stdout.read().split())]
    assert len(ReplyStore(tmp_path).known()) >= max(said)


def test_what_was_put_is_soon_on_the_disk_and_not_one_by_one(tmp_path, monkeypatch):
    synced = queue.Queue()
    whole = os.fsync

    def fsync(descriptor):
        whole(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_relative_to(tmp_path):  # stores of other tests may still have to sync
            synced.put(str(path))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(reply_store, "SYNC_DELAY_S", 0.3)
    store = ReplyStore(tmp_path)
    for _round in range(2):
        for number in range(50):
            store.put([(f"{number}", reply())])
        (file,) = tmp_path.iterdir()
        assert [synced.get(timeout=20), synced.get(timeout=20)] == [str(file), str(tmp_path)]
        assert synced.empty()


def test_a_closed_store_holds_no_file_and_goes_on_in_another(tmp_path, monkeypatch):
    descriptors = Path("/proc/self/fd")
    synced = []
    monkeypatch.setattr(os, "fsync", lambda n: synced.append((descriptors / str(n)).readlink()))
    store = ReplyStore(tmp_path)
    store.put([("a", reply())])
    store.close()
    [written] = tmp_path.iterdir()
    assert written in synced
    assert written not in [each.resolve() for each in descriptors.iterdir()]
    store.put([("b", reply())])
    store.close()
    assert are_kept(ReplyStore(tmp_path), "a", "b")


async def test_the_same_request_is_asked_once_over_attempts(tmp_path):
    first, model, _ = keeping(tmp_path)
    assert (await first.complete(HELLO, sample="p")).reused is False
    again, unasked, _ = keeping(tmp_path)
    kept = await again.complete(HELLO, sample="p")
    assert (kept.text, kept.reused, kept.cost_usd) == ("answer 1", True, 0.5)
    assert (model.asked, unasked.asked) == (1, 0)


async def test_two_data_points_with_the_same_prompt_get_answers_of_their_own(tmp_path):
    model, asked, _ = keeping(tmp_path)
    replies = [await model.complete(HELLO, sample=name) for name in ("p", "q", "p")]
    assert asked.asked == 3, "what is kept in this attempt is not used in it: order must not matter"
    assert len({reply.text for reply in replies}) == 3


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"base_url": "http://there/v1"}, True),
        ({"name": "other"}, False),  # two servers may both call their model `default`
        ({"concurrency": 1, "timeout_s": 3, "usd_per_million_input": 2}, True),
        ({"model": "m-2"}, False),
        ({"temperature": 0.1}, False),
        ({"top_p": 0.5}, False),
        ({"max_tokens": 7}, False),
        ({"extra_body": {"seed": 1}}, False),
    ],
)
def test_what_a_reply_depends_on(change, same):
    other = Endpoint.model_validate(ENDPOINT.model_dump() | change)
    keys = {request_key(endpoint, HELLO, None, "p") for endpoint in (ENDPOINT, other)}
    assert (len(keys) == 1) is same


def test_messages_schema_and_sample_make_another_request():
    guided = ENDPOINT.model_copy(update={"response_format": "json_schema"})
    keys = {
        request_key(guided, HELLO, None, "p"),
        request_key(guided, HELLO, {"type": "object"}, "p"),
        request_key(guided, HELLO, None, "q"),
        request_key(guided, (Message("system", "hello"),), None, "p"),
    }
    assert len(keys) == 4


def test_a_schema_that_the_endpoint_is_not_told_makes_no_other_request():
    with_schema, without = (
        request_key(ENDPOINT, HELLO, s, "p") for s in ({"type": "object"}, None)
    )
    assert with_schema == without


async def test_replies_that_come_together_are_written_together_before_they_are_used(tmp_path):
    model, _, local = keeping(tmp_path)
    started = time.monotonic()
    await asyncio.gather(*(model.complete(HELLO, sample=str(n)) for n in range(100)))
    assert sum(local.writes) == 100 == len(ReplyStore(tmp_path).known())
    assert len(local.writes) <= 2
    assert time.monotonic() - started < 1


async def test_without_a_folder_nothing_is_kept(tmp_path):
    model, asked, _ = keeping(None)
    await model.complete(HELLO)
    again, asked_again, _ = keeping(None)
    await again.complete(HELLO)
    assert (asked.asked, asked_again.asked) == (1, 1)


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [(Limits(budget_usd=2), 4), (Limits(max_tokens_total=31), 3), (Limits(budget_usd=0), 0)],
)
async def test_a_limit_ends_the_asking_but_not_the_use_of_what_is_kept(tmp_path, limits, allowed):
    model, asked, _ = keeping(tmp_path, limits)
    for number in range(allowed):
        await model.complete(HELLO, sample=str(number))
    with pytest.raises(BudgetSpent):
        await model.complete(HELLO, sample="one more")
    assert asked.asked == allowed
    again, asked_again, _ = keeping(tmp_path, limits)
    for number in range(allowed):
        assert (await again.complete(HELLO, sample=str(number))).reused
    with pytest.raises(BudgetSpent, match="of"):
        await again.complete(HELLO, sample="another")
    assert asked_again.asked == 0


async def test_a_limit_holds_where_no_reply_is_kept(tmp_path):
    model, asked, _ = keeping(None, Limits(budget_usd=1))
    await asyncio.gather(*(model.complete(HELLO, sample=name) for name in "ab"))
    with pytest.raises(BudgetSpent):
        await model.complete(HELLO, sample="c")
    assert asked.asked == 2


async def test_who_reaches_a_limit_is_told_the_whole_command_to_go_on(tmp_path):
    command = "apigen-ray run configs/a.yaml --set out=b"
    model, _, _ = keeping(tmp_path, Limits(budget_usd=0.5, command=command))
    await model.complete(HELLO)
    with pytest.raises(BudgetSpent, match=f"run {command} --set budget_usd=1$"):
        await model.complete(HELLO, sample="next")
