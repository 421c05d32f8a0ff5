"""A server as StableToolBench's: it plays APIs of RapidAPI, at `POST /virtual`.

    uv run python tests/rest_server/virtual.py --port 8080

Whatever happens to an API, it answers with status 200 and `{"error", "response"}`; the words are
those of the original server. Which of them an API gets, depends on its name.
"""

import json

from aiohttp import web
from server import main

ERRORS = {
    "broken": ("request invalid, data error. status_code=500", "{'message': 'Internal error'}"),
    "silent": ("Timeout error...Read timed out. (read timeout=30)", ""),
    "gone": ("API not working error...", "{'message': 'API doesn\\'t exists'}"),
    "paid": ("Unsubscribed error...", "{'message': 'You are not subscribed to this API.'}"),
    "busy": ("Rate limit error...", "{'message': 'Too many requests'}"),
    "wrong": ("Message error...", "{'message': 'Request failed'}"),
    "empty": ("", ""),
    "soft": ("", "{'message': 'You are not subscribed to this API.'}"),
}
NEEDED = ("category", "tool_name", "api_name", "tool_input", "strip", "toolbench_key")

routes = web.RouteTableDef()


@routes.post("/virtual")
async def virtual(request):
    asked = await request.json()
    if missing := [key for key in NEEDED if key not in asked]:
        return web.json_response({"detail": f"missing: {missing}"}, status=422)
    request.app["calls"].append(asked)
    name, arguments = asked["api_name"], asked["tool_input"]
    arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    for word, (error, response) in ERRORS.items():
        if word in name:
            return web.json_response({"error": error, "response": response})
    played = {"api": name, "of": asked["tool_name"], "asked": arguments, "more": None, "hits": 3}
    # In Python's form, as the original has it.
    return web.json_response({"error": "", "response": str(played)})


@routes.get("/calls")
async def calls(request):
    return web.json_response(request.app["calls"])


def build_app():
    app = web.Application()
    app["calls"] = []
    app.add_routes(routes)
    return app


if __name__ == "__main__":
    main(build_app(), 8080)
