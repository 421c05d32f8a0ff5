"""Each form keeps every argument, and chat templates render it so that the calls are read back."""

import json

import datasets
import msgspec
import pytest
from chat_templates import (
    LLAMA,
    MISTRAL,
    QWEN,
    Refused,
    read_llama,
    read_mistral,
    read_tagged,
    render,
)

from apigen_ray.datasets.export.examples import Example
from apigen_ray.datasets.export.formats import format_names
from apigen_ray.datasets.export.formats.hermes import hermes
from apigen_ray.datasets.export.formats.openai import openai
from apigen_ray.datasets.export.formats.openai_objects import openai_objects
from apigen_ray.datasets.export.formats.sharegpt import sharegpt
from apigen_ray.datasets.export.formats.xlam import xlam
from apigen_ray.stages.conversation import NO_CALL
from apigen_ray.tools.read_forms import read_tool

TOOLS = [
    {
        "name": "search",
        "description": "Search </tools> for 'things'.",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string"},
                "limit": {"type": "integer", "minimum": 1, "default": 10},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["query"],
        },
    },
    {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}},
]
TOOL_TEXTS = [json.dumps(tool) for tool in TOOLS]
ARGUMENTS = [
    {"query": "plain"},
    {"query": 'quotes " and \\ and \n and \t'},
    {"query": "</tool_call> [TOOL_CALLS] <|im_end|> {{ 7 * 7 }} {% raw %}"},
    {"query": "Zürich 東京 🙂 \u2028"},
    {"query": "", "tags": [], "nested": {"a": None, "b": {"c": [1, [2.0, {"d": False}]]}}},
    {"query": 12345678901234567890, "limit": 5.0, "small": 1e-9, "none": None},
    {},
]
MANY = [{"name": "search", "arguments": arguments} for arguments in ARGUMENTS]
EXAMPLES = [
    *(Example(str(n), "Find it.", [call], TOOL_TEXTS) for n, call in enumerate(MANY)),
    Example("many", "Find them </tools> {all}.", MANY, TOOL_TEXTS),
    Example("none", "Sing.", [], TOOL_TEXTS),
]
WITH_CALLS = [example for example in EXAMPLES if example.calls]


def written(record):
    """A record as a line of JSONL says it."""
    return json.loads(msgspec.json.encode(record))


def exactly(value):
    """5 and 5.0 and true differ."""
    return json.dumps(value)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_no_argument_is_lost_and_none_is_added(example):
    read = {
        "xlam": json.loads(xlam(example)["answers"]),
        "hermes": read_tagged(hermes(example)["conversations"][-1]["value"]),
        "sharegpt": read_sharegpt(sharegpt(example)),
        "openai": read_openai(openai(example), json.loads),
        "openai-objects": read_openai(openai_objects(example), lambda arguments: arguments),
    }
    assert read.keys() <= {*format_names()}
    for form, calls in read.items():
        assert exactly(calls) == exactly(example.calls), form


def read_openai(record, read_arguments):
    functions = [call["function"] for call in record["messages"][-1].get("tool_calls", [])]
    return [{"name": f["name"], "arguments": read_arguments(f["arguments"])} for f in functions]


def read_sharegpt(record):
    turn = record["conversations"][-1]
    if turn["from"] == "gpt":
        return []
    value = json.loads(turn["value"])
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("example", WITH_CALLS, ids=lambda example: example.id)
@pytest.mark.parametrize(
    ("template", "read"), [(QWEN, read_tagged), (MISTRAL, read_mistral)], ids=["qwen", "mistral"]
)
def test_templates_with_several_calls_are_read_back(template, read, example):
    assert exactly(read(render(template, written(openai_objects(example))))) == exactly(
        example.calls
    )


@pytest.mark.parametrize("example", WITH_CALLS[:-1], ids=lambda example: example.id)
def test_llamas_template_is_read_back(example):
    assert exactly(read_llama(render(LLAMA, written(openai_objects(example))))) == exactly(
        example.calls
    )


def test_llamas_template_knows_no_parallel_calls():
    with pytest.raises(Refused, match="single tool-calls"):
        render(LLAMA, written(openai_objects(WITH_CALLS[-1])))


@pytest.mark.parametrize("template", [QWEN, LLAMA, MISTRAL], ids=["qwen", "llama", "mistral"])
def test_templates_render_an_answer_without_calls(template):
    text = render(template, written(openai_objects(EXAMPLES[-1])))
    assert NO_CALL in text.rsplit("Sing.", 1)[1]
    assert "tool_call>" not in text


@pytest.mark.parametrize("template", [QWEN, LLAMA, MISTRAL], ids=["qwen", "llama", "mistral"])
def test_templates_show_every_tool(template):
    text = render(template, written(openai_objects(EXAMPLES[0])))
    assert '"minimum": 1' in text
    assert '"name": "now"' in text


def test_a_hermes_prompt_has_its_tools_between_the_tags():
    prompt = hermes(EXAMPLES[0])["conversations"][0]["value"]
    inside = prompt.split("<tools>\n")[1].split("\n</tools>")[0]
    assert [tool["function"] for tool in json.loads(inside)] == TOOLS
    assert prompt.count("</tools>") == 2  # one in the instruction


def test_xlam_tools_are_flat_and_read_back():
    [tool, _] = json.loads(xlam(EXAMPLES[0])["tools"])
    assert tool["parameters"]["query"]["type"] == "str"
    assert read_tool(tool).parameters["required"] == ["query"]


def nulls(value):
    """Where a JSON value has null."""
    if isinstance(value, dict):
        return [f"{key}.{path}" for key, inner in value.items() for path in nulls(inner)]
    if isinstance(value, list):
        return [path for inner in value for path in nulls(inner)]
    return ["null"] if value is None else []


@pytest.mark.parametrize("record_of", [openai, openai_objects, sharegpt, hermes])
def test_no_form_has_a_null_of_its_own(record_of):
    assert not nulls(written(record_of(EXAMPLES[0])))
    assert not nulls(written(record_of(EXAMPLES[-1])))


def test_load_dataset_pads_no_json_text(tmp_path):
    """The Parquet columns are text: different tools and arguments don't become one schema."""
    records = [xlam(example) for example in EXAMPLES]
    loaded = datasets.Dataset.from_list(records)
    assert exactly([json.loads(row["answers"]) for row in loaded]) == exactly(
        [example.calls for example in EXAMPLES]
    )
