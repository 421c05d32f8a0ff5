"""Seeds: trusted pairs that are shown to a model as examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from apigen_ray import strict_json
from apigen_ray.datasets.xlam import json_field, read_rows, row_tools, style_of
from apigen_ray.errors import BadInput
from apigen_ray.records import Json, JsonObject, Reason, Rejected, Seed, Style, Tool
from apigen_ray.stages.check import CheckSettings, check_pair, signatures_of


def load_seeds(
    sources: Sequence[str], tools: Mapping[str, Tool]
) -> tuple[tuple[Seed, ...], list[str]]:
    """Read seeds in the xLAM row format; `style` and tool names are accepted in hand-written ones.

    Returns:
        The seeds, and one line for each source and cause for which seeds were left out: they name
        tools that are not there, or fail the strict format check.

    Raises:
        BadInput: if a source can't be read, or a row has an unknown style.
    """
    seeds: list[Seed] = []
    notices: list[str] = []
    for source in sources:
        left_out: dict[str, list[str]] = {}
        for where, row in read_rows(source):
            seed = _seed(where, row, tools)
            if isinstance(seed, Seed):
                seeds.append(seed)
            else:
                unknown = seed.reason is Reason.INVALID_TOOL
                cause = "name other tools than there are" if unknown else "fail the format check"
                left_out.setdefault(cause, []).append(f"{where}: {seed.detail}")
        notices += [
            f"seeds: {len(details)} {cause} and were left out: {details[0]}"
            for cause, details in left_out.items()
        ]
    return tuple(seeds), notices


def _seed(where: str, row: Mapping[str, Any], known: Mapping[str, Tool]) -> Seed | Rejected:
    try:
        answers = json_field(row, "answers")
        listed = json_field(row, "tools")
        for name in listed if isinstance(listed, list) else ():
            if isinstance(name, str) and name not in known:
                return Rejected(Reason.INVALID_TOOL, f"no tool is named {name!r}")
        tools = row_tools(listed, known, where)
    except strict_json.NotJson as error:
        raise BadInput(f"{where}: {error}") from error
    if not tools:
        raise BadInput(f"{where}: tools: a seed must name the tools that were shown")
    style = _style(where, row, answers, tools)
    said: JsonObject = {key: row.get(key) for key in ("query", "question", "reply") if key in row}
    pair: Json = {**said, "answers": answers}
    checked = check_pair(
        pair, style=style, signatures=signatures_of(tools), settings=CheckSettings()
    )
    if isinstance(checked, Rejected):
        return checked
    return Seed(id=str(row.get("id", where)), style=style, pair=checked.pair, tools=tools)


def _style(where: str, row: Mapping[str, Any], answers: Json, tools: Sequence[Tool]) -> Style:
    if "style" in row:
        try:
            return Style(row["style"])
        except ValueError as error:
            raise BadInput(f"{where}: style: {error}") from error
    listed = answers if isinstance(answers, list) else []
    names = [str(answer.get("name")) for answer in listed if isinstance(answer, dict)]
    return style_of(len(tools), names)
