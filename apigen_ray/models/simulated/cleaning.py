"""Answers what `tools clean` asks: arguments to try, and descriptions written anew."""

import json
import re
from random import Random

from apigen_ray.models.simulated.drawing import draw_call
from apigen_ray.models.simulated.reading import ProposeRequest, RewriteRequest
from apigen_ray.models.simulated.schemas import accepts, properties
from apigen_ray.records import Call, JsonObject

PROSE = "This function is quite clear to me, and I am sure that it can be called."


def propose(request: ProposeRequest, random: Random, *, wrong: bool) -> str:
    """Sets of arguments that the schema allows; or none that can be used."""
    calls: list[Call] = []
    for _ in range(request.count):
        call = draw_call(random, request.tool, calls)
        if call is not None:
            calls.append(call)
    proposed = [call.arguments for call in calls]
    if wrong:
        proposed = [arguments | {"made_up": True} for arguments in proposed]
        if random.random() < 0.5 or any(accepts(request.tool, spoilt) for spoilt in proposed):
            return PROSE
    return json.dumps({"arguments": proposed}, ensure_ascii=False)


def rewrite(request: RewriteRequest, random: Random, *, wrong: bool) -> str:
    """A description made of the names; or an answer that would change more than texts."""
    names = list(properties(request.tool))
    told = f" for the given {_words(', '.join(names))}" if names else ""
    answer: JsonObject = {
        "usable": False,
        "description": f"Give the {_words(request.tool.name)}{told}.",
        "parameters": {name: f"The {_words(name)} that is asked for." for name in names},
    }
    if wrong:
        renamed: JsonObject = {"parameters": {f"new_{name}": "It." for name in names or ["name"]}}
        spoilt = (answer | renamed, answer | {"required": names}, answer | {"description": "TODO"})
        return json.dumps(random.choice(spoilt)) if random.random() < 0.8 else PROSE
    return json.dumps(answer, ensure_ascii=False)


def _words(name: str) -> str:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return re.sub(r"[_\-. ]+", " ", spaced).lower().strip()
