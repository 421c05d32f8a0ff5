"""Benign and hostile calls mixed, for as long as you like; nothing may be wrong, lost or left over.

uv run python tests/bench/soak_sandbox.py [--seconds 60] [--kind docker]
"""

import argparse
import asyncio
import os
import random
import time
from collections import Counter
from pathlib import Path

import docker

from apigen_ray.records import Call
from apigen_ray.stages.execute.sandbox import Sandbox, SandboxSettings, open_sandbox
from apigen_ray.stages.execute.sandbox.attacks import hostile_tools
from apigen_ray.stages.execute.sandbox.attacks.self_check import attacks_on, hostile_code, look

BENIGN_PER_ATTACK = 4


async def client(
    sandbox: Sandbox, draw: random.Random, attacks: list[str], until: float, counts: Counter[str]
) -> None:
    clean = await look(sandbox)
    while time.monotonic() < until:
        attack = draw.choice(attacks)
        [result] = await sandbox.run([Call(attack, {})])
        verdict = getattr(result, "reason", "returned")
        counts["attacks"] += 1
        counts["wrong verdicts on attacks"] += verdict not in hostile_tools.ATTACKS[attack].expected
        if verdict not in hostile_tools.ATTACKS[attack].expected:
            counts[f"{attack}: {verdict}"] += 1
        for _ in range(BENIGN_PER_ATTACK):
            counts["benign calls"] += 1
            counts["benign calls that were wrong"] += await look(sandbox) != clean


def left() -> list[str]:
    """What this process started and did not end: containers, and processes below it."""
    label: dict[str, str | list[str] | bool] = {
        "label": f"apigen-ray=runner of process {os.getpid()}"
    }
    containers = docker.from_env().containers.list(all=True, filters=label)
    below = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [*(str(one.id) for one in containers), *below]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kind", default="docker")
    options = parser.parse_args()
    settings = SandboxSettings(kind=options.kind, base_image="host", timeout_s=1, slots=2)
    sandbox = await open_sandbox(settings, hostile_code())
    counts: Counter[str] = Counter({"benign calls that were wrong": 0})
    until = time.monotonic() + options.seconds
    attacks = list(attacks_on(options.kind, None))
    try:
        draws = (random.Random(seed) for seed in range(settings.slots))
        await asyncio.gather(*(client(sandbox, draw, attacks, until, counts) for draw in draws))
    finally:
        await sandbox.close()
    counts["processes or containers left"] = len(left())
    for name, count in counts.items():
        print(f"{count:8} {name}")


if __name__ == "__main__":
    asyncio.run(main())
