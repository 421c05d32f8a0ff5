"""The pace of requests: a simulated clock, no HTTP."""

import asyncio
import random

import pytest

from apigen_ray.models.pacing import AdaptiveLimit, RateLimit, RequestLimiter
from apigen_ray.models.replicas import Replicas


def feed(pace, seconds, rounds, now=0.0):
    """Rounds of `limit` good replies."""
    for _ in range(rounds):
        for _ in range(int(pace.limit)):
            pace.answered(now, now + seconds)
        now += seconds
    return now


def test_the_start_is_no_burst_and_the_ceiling_is_reached_soon_and_kept():
    pace = AdaptiveLimit(64)
    assert pace.limit == 8
    feed(pace, 0.2, rounds=3)
    assert pace.limit == 64
    feed(pace, 0.2, rounds=3)
    assert pace.limit == 64


def test_a_round_of_refusals_counts_once():
    pace = AdaptiveLimit(64)
    now = feed(pace, 0.2, rounds=4)
    for _ in range(30):
        pace.refused(now, now + 0.1)
    assert pace.limit == pytest.approx(0.7 * 64)
    pace.refused(now + 0.2, now + 0.3)
    assert pace.limit == pytest.approx(0.49 * 64)


def test_after_trouble_it_grows_by_steps_not_by_doubling():
    pace = AdaptiveLimit(64)
    now = feed(pace, 0.2, rounds=4)
    pace.refused(now, now)
    before = pace.limit
    feed(pace, 0.2, rounds=1, now=now)
    assert before + 1.5 < pace.limit < before + 3


def test_endless_refusals_end_at_the_floor():
    pace = AdaptiveLimit(64)
    for number in range(100):
        pace.refused(number, number + 0.5)
    assert pace.limit == 4
    small = AdaptiveLimit(1)
    small.refused(0, 1)
    assert small.limit == 1


def test_retry_after_holds_everybody_and_the_latest_counts():
    pace = AdaptiveLimit(8)
    pace.refused(0, 10, retry_after_s=5)
    pace.refused(0, 11, retry_after_s=1)
    assert pace.resumes_at == 15


def test_latency_that_varies_is_no_reason_to_slow_down_but_a_queue_is():
    drawn = random.Random(0)
    pace, now = AdaptiveLimit(64), 0.0
    for _ in range(20_000):
        seconds = drawn.lognormvariate(-2.1, 1)
        pace.answered(now, now + seconds)
        now += seconds / 64
    assert pace.limit == 64
    feed(pace, 2.0, rounds=3, now=now)
    assert pace.limit < 64


def simulate(capacity, ceiling, seconds=60.0):
    """An endpoint that serves `capacity` at a time, at one second each, and refuses beyond it."""
    pace, now, busy, refused, served = AdaptiveLimit(ceiling), 0.0, [], 0, 0
    while now < seconds:
        now += 0.01
        done = [start for start in busy if start + 1 <= now]
        busy = [start for start in busy if start + 1 > now]
        for start in done:
            pace.answered(start, now)
            served += 1
        while len(busy) < int(pace.limit):
            if len(busy) >= capacity:
                pace.refused(now, now)
                refused += 1
                break
            busy.append(now)
    return served / (capacity * seconds), refused / (served + refused)


def test_an_endpoint_that_takes_less_than_the_ceiling_is_kept_busy_without_many_refusals():
    busy, refused = simulate(capacity=40, ceiling=256)
    assert busy > 0.75
    assert refused < 0.05


def test_a_rate_per_minute_is_spent_evenly():
    rate, now, starts = RateLimit(60), 100.0, []
    for _ in range(5):
        now += rate.wait_s(now)
        starts.append(now)
        rate.take(1, now)
    assert starts == [100, 101, 102, 103, 104]
    now += 3600
    burst = 0
    while rate.wait_s(now) == 0:
        rate.take(1, now)
        burst += 1
    assert burst == 2, "an hour unused is no hour's worth at once"


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


async def pass_gate(gate, log, tokens=0):
    async with gate.attempt() as turn:
        log.append("in")
        await asyncio.sleep(0.01)
        turn.outcome, turn.tokens = "answered", tokens
    log.append("out")
    return turn


async def test_the_gate_lets_in_as_many_as_the_pace_allows():
    log = []
    await asyncio.gather(*(pass_gate(RequestLimiter(AdaptiveLimit(2)), log) for _ in range(1)))
    gate = RequestLimiter(AdaptiveLimit(2))
    log.clear()
    await asyncio.gather(*(pass_gate(gate, log) for _ in range(6)))
    inside = peak = 0
    for event in log:
        inside += 1 if event == "in" else -1
        peak = max(peak, inside)
    assert peak == 2


async def test_the_gate_opens_again_after_a_turn_that_was_cancelled():
    gate = RequestLimiter(AdaptiveLimit(1))
    stuck = asyncio.create_task(pass_gate(gate, []))
    await asyncio.sleep(0)
    stuck.cancel()
    assert (await asyncio.wait_for(pass_gate(gate, []), 1)).outcome == "answered"


async def test_tokens_per_minute_hold_back_who_comes_next():
    gate = RequestLimiter(AdaptiveLimit(4), tokens_per_minute=60 * 1000)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await pass_gate(gate, [], tokens=200)
    await pass_gate(gate, [])
    assert 0.15 < loop.time() - started < 1


async def test_shares_of_the_time_add_up_to_the_time_that_was_busy():
    clock = Clock()
    gate = RequestLimiter(AdaptiveLimit(8), clock=clock)
    async with gate.attempt() as long:
        clock.now = 1
        async with gate.attempt() as short:
            clock.now = 3
        clock.now = 4
    clock.now = 10
    assert (long.share_s, short.share_s) == (3, 1)


def drive(slow_factor, requests=3000, slots=30):
    """Three replicas, one of them slow; requests come as slots are free."""
    speeds = {"a": 0.1, "b": 0.1, "c": 0.1 * slow_factor}
    replicas, now, running, served = Replicas(list(speeds)), 0.0, [], dict.fromkeys(speeds, 0)
    while sum(served.values()) < requests:
        while len(running) < slots:
            choice = replicas.least_loaded(now)
            replica = choice.__enter__()
            running.append((now + speeds[replica.url], choice, replica))
        running.sort(key=lambda entry: entry[0])
        now, choice, replica = running.pop(0)
        choice.__exit__(None, None, None)
        replica.answered(speeds[replica.url])
        served[replica.url] += 1
    return served, now


def test_equal_replicas_are_asked_equally_and_a_slow_one_seldom():
    served, fair = drive(1)
    assert max(served.values()) < 1.2 * min(served.values())
    served, hampered = drive(20)
    assert 0 < served["c"] < 0.05 * served["a"]
    assert hampered < 1.25 * fair, "its slots go to the fast ones"


def test_a_failing_replica_rests_and_is_tried_again():
    replicas = Replicas(["a", "b"])
    with replicas.least_loaded(0) as first:
        first.failed(0)
    with replicas.least_loaded(0.5) as other:
        other.answered(5)
        assert other.url != first.url
    with replicas.least_loaded(2.1) as back:
        assert back is first
        back.failed(2.1)
    assert first.cooldown_until == pytest.approx(6.1), "longer each time"
    first.failed(2.2)
    assert first.cooldown_until == pytest.approx(6.1), "what was in flight says nothing new"
    other.failed(3)
    with replicas.least_loaded(3) as least_bad:
        assert least_bad.cooldown_until == min(first.cooldown_until, other.cooldown_until)
