"""The calls in what a chat template has rendered, as the parsers of servers read them.

Ten families: JSON in tags (Qwen 2.5 and 3, Hermes), Llama 3, Mistral, gpt-oss (Harmony), DeepSeek
V3, GLM 4, function and parameter tags (Qwen 3.5 on, Nemotron 3), `invoke` tags, Gemma 4, LFM 2.
Where a text stands without quotes, only the tool's schema tells `5` from `"5"`: such values are
`Bare`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from apigen_ray import strict_json
from apigen_ray.datasets.external.bfcl import read_answer
from apigen_ray.datasets.external.call_text import read_said
from apigen_ray.datasets.external.unreadable import Unreadable


class Bare(str):
    """A value as it stands between tags: a text as it is, anything else as JSON."""

    __slots__ = ()


class Rendered(NamedTuple):
    """A call as it was rendered."""

    name: str
    arguments: Any


_HARMONY = re.compile(
    r"to=functions\.([\w.-]+)(?:<\|channel\|>commentary)?[^<]*(?:<\|constrain\|>\s*json)?<\|message\|>"
    r"(.*?)(?:<\|call\|>|<\|end\|>|\Z)",
    re.DOTALL,
)
_DEEPSEEK = re.compile(
    "<\uff5ctool\u2581call\u2581begin\uff5c>(?:function<\uff5ctool\u2581sep\uff5c>)?"
    "(.*?)(?:\n```json\n|<\uff5ctool\u2581sep\uff5c>)(.*?)(?:\n```)?"
    "<\uff5ctool\u2581call\u2581end\uff5c>",
    re.DOTALL,
)
_GLM = re.compile(r"<tool_call>([\w.:/-]+)\s*((?:<arg_key>.*?)?)</tool_call>", re.DOTALL)
_GLM_ARGUMENT = re.compile(
    r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>\s*(?=<arg_key>|\Z)", re.DOTALL
)
_FUNCTION = re.compile(r"<function=([^>]+)>\n?(.*?)</function>\s*</tool_call>", re.DOTALL)
_PARAMETER = re.compile(
    r"<parameter=([^>]+)>\n?(.*?)\n?</parameter>\s*(?=<parameter=|\Z)", re.DOTALL
)
_INVOKE = re.compile(r'<(\w+:)?invoke name="([^"]+)">\s*(.*?)</(?:\w+:)?invoke>', re.DOTALL)
_INVOKED = re.compile(
    r'<(?:\w+:)?parameter name="([^"]+)">(.*?)</(?:\w+:)?parameter>\s*(?=<|\Z)', re.DOTALL
)
_GEMMA = re.compile(r"<\|tool_call>call:([\w.-]+)(\{.*?\})<tool_call\|>", re.DOTALL)
_GEMMA_QUOTED = re.compile(r'<\|"\|>(.*?)<\|"\|>', re.DOTALL)
_GEMMA_KEY = re.compile(r"([{,])\s*([^\s{}\[\],:\"\x00]+):")
_LFM = re.compile(r"<\|tool_call_start\|>(.*?)<\|tool_call_end\|>", re.DOTALL)
_HEADER = re.compile(
    r"\A.*?(?:<\|start_header_id\|>assistant<\|end_header_id\|>\n\n|<\|im_start\|>assistant\n)"
    r"|(?:<\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>|</s>)\s*\Z",
    re.DOTALL,
)


def rendered_calls(text: str) -> list[Rendered]:
    """The calls of an assistant's message, from what was rendered of it.

    Raises:
        NotJson: if a call is there and can't be read.
    """
    for marker, read in _FAMILIES:
        if marker.search(text):
            return list(read(text))
    said = read_said(_HEADER.sub("", text).strip())
    return [Rendered(str(call["name"]), call["arguments"]) for call in said.calls]  # type: ignore[call-overload,index]


def _of_json(pattern: re.Pattern[str], text: str) -> Iterator[Rendered]:
    for name, arguments in pattern.findall(text):
        yield Rendered(name, strict_json.parse(arguments))


def _of_tags(pattern: re.Pattern[str], inner: re.Pattern[str], text: str) -> Iterator[Rendered]:
    for *_, name, written in pattern.findall(text):
        yield Rendered(name, {key: Bare(value) for key, value in inner.findall(written)})


def _gemma(text: str) -> Iterator[Rendered]:
    for name, written in _GEMMA.findall(text):
        texts: list[str] = []

        def keep(match: re.Match[str]) -> str:
            texts.append(match.group(1))  # noqa: B023 - used at once
            return f"\x00{len(texts) - 1}\x00"  # noqa: B023

        bare = _GEMMA_KEY.sub(r'\1"\2":', _GEMMA_QUOTED.sub(keep, written))
        whole = re.sub(r"\x00(\d+)\x00", lambda m: json.dumps(texts[int(m.group(1))]), bare)  # noqa: B023
        yield Rendered(name, strict_json.parse(whole))


def _lfm(text: str) -> Iterator[Rendered]:
    for written in _LFM.findall(text):
        try:
            calls: Any = read_answer(written)
        except Unreadable as error:
            raise strict_json.NotJson(str(error)) from error
        for call in calls:
            yield Rendered(call["name"], call["arguments"])


_FAMILIES: Sequence[tuple[re.Pattern[str], Any]] = (
    (re.compile(r"to=functions\."), lambda text: _of_json(_HARMONY, text)),
    (re.compile("tool\u2581call\u2581begin"), lambda text: _of_json(_DEEPSEEK, text)),
    (_GLM, lambda text: _of_tags(_GLM, _GLM_ARGUMENT, text)),
    (re.compile("<function="), lambda text: _of_tags(_FUNCTION, _PARAMETER, text)),
    (re.compile("invoke name="), lambda text: _of_tags(_INVOKE, _INVOKED, text)),
    (re.compile(r"<\|tool_call>call:"), _gemma),
    (_LFM, _lfm),
)


def agrees(rendered: Any, given: Any) -> bool:
    """Whether a rendered value is the given one."""
    if isinstance(rendered, Bare):
        if isinstance(given, str):
            return rendered == given
        try:
            return agrees(strict_json.parse(rendered), given)
        except strict_json.NotJson:
            return False
    if isinstance(rendered, dict) and isinstance(given, Mapping):
        same_keys = rendered.keys() == given.keys()
        return same_keys and all(agrees(rendered[key], given[key]) for key in rendered)
    if isinstance(rendered, list) and isinstance(given, list):
        return len(rendered) == len(given) and all(map(agrees, rendered, given))
    return type(rendered) is type(given) and bool(rendered == given)
