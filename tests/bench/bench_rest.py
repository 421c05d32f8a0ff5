"""Guarded calls a second on loopback, beside the same calls through bare aiohttp.

Run by hand: uv run python tests/bench/bench_rest.py
"""

import asyncio
import sys
import time
from multiprocessing import Process

import aiohttp
from aiohttp import web

from apigen_ray.records import RestBackend, Returned
from apigen_ray.stages.execute.rest import RestCaller, RestSettings

CALLS = 6000
IN_FLIGHT = 16
ROUNDS = 3
PORT = 18423


async def answer(request: web.Request) -> web.Response:
    return web.json_response({"city": request.query["city"], "days": [1, 2, 3], "ok": True})


def serve() -> None:
    app = web.Application()
    app.router.add_get("/weather/{id}", answer)
    web.run_app(app, host="127.0.0.1", port=PORT, print=None, access_log=None)


async def bare() -> tuple[float, float]:
    async with aiohttp.ClientSession() as session:

        async def one(index: int) -> None:
            url = f"http://127.0.0.1:{PORT}/weather/{index}"
            async with session.get(url, params={"city": "Oslo"}) as response:
                assert (await response.json())["ok"]

        return await rates(one)


async def guarded() -> tuple[float, float]:
    settings = RestSettings(allow=(f"127.0.0.1:{PORT}",), per_host_concurrency=IN_FLIGHT)
    caller = RestCaller(settings, {})
    backend = RestBackend("GET", f"http://127.0.0.1:{PORT}/weather/{{id}}")

    async def one(index: int) -> None:
        result = await caller.call(backend, {"id": index, "city": "Oslo"})
        assert isinstance(result, Returned), result

    try:
        return await rates(one)
    finally:
        await caller.close()


async def rates(one) -> tuple[float, float]:
    """Calls per second of wall time, and of this process's CPU time (the server has its own)."""
    indices = iter(range(CALLS))

    async def worker() -> None:
        for index in indices:
            await one(index)

    await one(0)
    started, worked = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return CALLS / (time.perf_counter() - started), CALLS / (time.process_time() - worked)


async def wait_for_server() -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            try:
                await (await session.get(f"http://127.0.0.1:{PORT}/")).read()
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
            else:
                return
    sys.exit("the server did not start")


async def main() -> None:
    await wait_for_server()
    for _ in range(ROUNDS):
        plain, ours = await bare(), await guarded()
        print(
            f"bare aiohttp {plain[0]:,.0f}/s ({plain[1]:,.0f} a CPU second)   guarded"
            f" {ours[0]:,.0f}/s ({ours[1]:,.0f})   ratio {ours[1] / plain[1]:.2f}"
        )


if __name__ == "__main__":
    server = Process(target=serve, daemon=True)
    server.start()
    try:
        asyncio.run(main())
    finally:
        server.terminate()
