"""Conversations of others are read into one form; what doesn't fit together has a reason."""

import json

import pytest

from apigen_ray.datasets.external.forms import read_row
from apigen_ray.datasets.external.messages import read_messages
from apigen_ray.datasets.external.unreadable import Unreadable

ARGUMENTS = {"port": "Kappeln", "at": {"hour": 9}}
CALL = {"name": "tide", "arguments": ARGUMENTS}
TEXT = json.dumps(CALL)
ASKED = {"role": "user", "content": "When is high tide?"}
ANSWER = {"role": "assistant", "content": "At noon."}
WANTED = [
    ASKED,
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "call00000", "type": "function", "function": CALL}],
    },
    {"role": "tool", "tool_call_id": "call00000", "content": '{"high": "12:00"}'},
    ANSWER,
]


def openai(arguments, id_="x"):
    call = {"id": id_, "type": "function", "function": {"name": "tide", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def result(content='{"high": "12:00"}', **more):
    return {"role": "tool", "content": content, **more}


def turn(from_, value):
    return {"from": from_, "value": value}


HUMAN, GPT = turn("human", ASKED["content"]), turn("gpt", ANSWER["content"])
OBSERVED = turn("observation", '{"high": "12:00"}')
LEGACY = {"name": "tide", "arguments": json.dumps(ARGUMENTS)}
FORMS = {
    "openai": [ASKED, openai(json.dumps(ARGUMENTS)), result(tool_call_id="x"), ANSWER],
    "objects": [ASKED, openai(ARGUMENTS), result(tool_call_id="x"), ANSWER],
    "legacy": [
        ASKED,
        {
            "role": "assistant",
            "content": None,
            "function_call": LEGACY,
        },
        {"role": "function", "name": "tide", "content": '{"high": "12:00"}'},
        ANSWER,
    ],
    "sharegpt": [HUMAN, turn("function_call", TEXT), OBSERVED, GPT],
    "a list of one": [HUMAN, turn("function_call", f"[{TEXT}]"), OBSERVED, GPT],
    "toucan": [
        ASKED,
        {"role": "tool_call", "content": str({**CALL, "arguments": json.dumps(ARGUMENTS)})},
        {"role": "tool_response", "content": '{"high": "12:00"}'},
        ANSWER,
    ],
    "hermes": [
        HUMAN,
        turn("gpt", f"<tool_call>\n{TEXT}\n</tool_call>"),
        turn(
            "tool",
            '<tool_response>\n{"name": "tide", "content": {"high": "12:00"}}\n</tool_response>',
        ),
        GPT,
    ],
    "python in tags": [
        HUMAN,
        turn("gpt", f"<tool_call>\n{CALL}\n</tool_call>"),
        turn("tool", '<tool_response>\n{"high": "12:00"}\n</tool_response>'),
        GPT,
    ],
    "qwen's results": [
        ASKED,
        {"role": "assistant", "content": f"<tool_call>\n{TEXT}\n</tool_call>"},
        {"role": "user", "content": '<tool_response>\n{"high": "12:00"}\n</tool_response>'},
        ANSWER,
    ],
    "llama": [
        ASKED,
        {"role": "assistant", "content": TEXT.replace("arguments", "parameters")},
        {"role": "ipython", "content": '{"high": "12:00"}'},
        ANSWER,
    ],
    "llama's tag": [
        ASKED,
        {"role": "assistant", "content": f"<|python_tag|>{TEXT}"},
        result(),
        ANSWER,
    ],
    "named": [
        ASKED,
        {"role": "assistant", "content": f"<function=tide>{json.dumps(ARGUMENTS)}</function>"},
        result(),
        ANSWER,
    ],
    "mistral": [
        ASKED,
        {"role": "assistant", "content": f"[TOOL_CALLS] [{TEXT}]"},
        result(),
        ANSWER,
    ],
    "mistral's arguments": [
        ASKED,
        {"role": "assistant", "content": f"[TOOL_CALLS]tide[ARGS]{json.dumps(ARGUMENTS)}"},
        result(),
        ANSWER,
    ],
    "toolbench": [
        turn("user", ASKED["content"]),
        turn("assistant", f"\nThought: \nAction: tide\nAction Input: {json.dumps(ARGUMENTS)}\n"),
        turn("function", '{"high": "12:00"}'),
        turn("assistant", ANSWER["content"]),
    ],
    "parts": [
        {"role": "user", "content": [{"type": "text", "text": ASKED["content"]}]},
        openai(ARGUMENTS),
        result([{"type": "text", "text": '{"high": "12:00"}'}]),
        ANSWER,
    ],
    "a result that is an object": [ASKED, openai(ARGUMENTS), result({"high": "12:00"}), ANSWER],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_conversation(form):
    assert read_messages(FORMS[form]) == WANTED


TOOL = {"name": "tide", "description": "", "parameters": {"type": "object", "properties": {}}}
RENDERED = {
    "chatml": "<|im_start|>system\nBe brief.\n\n# Tools\n\nYou may call\n<tools>\n"
    f"{json.dumps({'type': 'function', 'function': TOOL})}\n</tools>\n\nReturn<|im_end|>\n"
    f"<|im_start|>user\n{ASKED['content']}<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{TEXT}\n"
    "</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n"
    '{"high": "12:00"}\n</tool_response><|im_end|>\n<|im_start|>assistant\nAt noon.<|im_end|>\n',
    "llama": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nEnvironment: ipython\n"
    "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nGiven the following functions, please respond "
    'with a JSON.\n\nRespond in the format {"name": function name, "parameters": dictionary}.\n\n'
    f"{json.dumps({'type': 'function', 'function': TOOL}, indent=4)}\n\n{ASKED['content']}"
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    f"{TEXT.replace('arguments', 'parameters')}<|eot_id|>"
    '<|start_header_id|>ipython<|end_header_id|>\n\n"{\\"high\\": \\"12:00\\"}"<|eot_id|>'
    "<|start_header_id|>assistant<|end_header_id|>\n\nAt noon.<|eot_id|>",
    "mistral": "<s>[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][AVAILABLE_TOOLS] "
    f"{json.dumps([{'type': 'function', 'function': TOOL}])}[/AVAILABLE_TOOLS]"
    f"[INST] {ASKED['content']}[/INST][TOOL_CALLS] [{TEXT[:-1]}, "
    '"id": "123456789"}]</s>[TOOL_RESULTS] {"content": {"high": "12:00"}, "call_id": "123456789"}'
    "[/TOOL_RESULTS] At noon.</s>",
}


@pytest.mark.parametrize("template", RENDERED)
def test_a_rendered_text_is_read_back_with_its_tools(template):
    row = read_row({"text": RENDERED[template]}, {})
    assert row.messages == [{"role": "system", "content": "Be brief."}, *WANTED]
    assert row.tools == [{"type": "function", "function": TOOL}]


def test_apigen_mt_has_its_system_and_tools_beside_the_turns():
    row = {"conversations": FORMS["sharegpt"], "system": "Be kind.", "tools": json.dumps([TOOL])}
    found = read_row(row, {})
    assert found.messages == [{"role": "system", "content": "Be kind."}, *WANTED]
    assert found.tools == json.dumps([TOOL])


def test_toolbench_has_its_tools_in_the_systems_words():
    said = f"You are AutoGPT, you can use many tools.\nSpecifically, you have access to the \
following APIs: {[TOOL]}"
    found = read_row({"conversations": [turn("system", said), *FORMS["toolbench"]]}, {})
    assert found.messages == WANTED
    assert found.tools == [TOOL]


def test_trl_has_prompt_and_completion():
    row = {"prompt": FORMS["openai"][:1], "completion": FORMS["openai"][1:], "tools": [TOOL]}
    assert read_row(row, {}).messages == WANTED


def test_reasoning_is_kept_apart():
    said = {"role": "assistant", "content": f"<think>\nTides.\n</think>\n\n[TOOL_CALLS] [{TEXT}]"}
    given = {**openai(ARGUMENTS), "reasoning_content": "Tides."}
    for message in (said, given):
        reply = read_messages([ASKED, message])[1]
        assert (reply["content"], reply["reasoning_content"]) == ("", "Tides.")


def test_what_is_said_before_a_call_stays():
    said = {"role": "assistant", "content": f"Let me see.\n<tool_call>{TEXT}</tool_call>"}
    assert read_messages([ASKED, said])[1]["content"] == "Let me see."
    turns = [HUMAN, turn("gpt", "Let me see."), turn("function_call", TEXT), OBSERVED, GPT]
    assert [m["role"] for m in read_messages(turns)] == ["user", "assistant", "tool", "assistant"]


def test_an_observation_may_have_the_results_of_several_calls():
    turns = [
        HUMAN,
        turn("function_call", f"[{TEXT}, {TEXT}]"),
        turn("observation", '["1", {"a":2}]'),
    ]
    assert [m["content"] for m in read_messages(turns)[2:]] == ["1", '{"a": 2}']


def test_text_that_looks_like_a_call_only_a_bit_is_text():
    for text in ('{"name": "Bob"}', "<function> of x", '[{"name": "a"}, 3]', "Action: none"):
        [_, reply] = read_messages([ASKED, {"role": "assistant", "content": text}])
        assert reply["content"] == text


MADE = [openai({}, id_)["tool_calls"][0] for id_ in "ab"]
TWO_CALLS = [ASKED, {"role": "assistant", "tool_calls": MADE}]
BAD = {
    "an unknown role": ([{"role": "narrator", "content": ""}, ANSWER], "messages[0]: role"),
    "no role": ([{"content": ""}, ANSWER], "messages[0]: role"),
    "a result without a call": ([ASKED, result(), ANSWER], "messages[1]: a result"),
    "a result twice": ([ASKED, openai({}), result(), result(), ANSWER], "messages[3]: a result"),
    "another id": ([ASKED, openai({}), result(tool_call_id="y")], "messages[2]: tool_call_id 'y'"),
    "another name": ([ASKED, openai({}), result(name="ebb")], "messages[2]: a result of 'ebb'"),
    "half of the results": ([*TWO_CALLS, result(tool_call_id="b"), ANSWER], "has no result"),
    "the same id twice": ([ASKED, {"role": "assistant", "tool_calls": MADE[:1] * 2}], "the same"),
    "half a conversation": ([ASKED, ANSWER, ASKED], "the user has the last word"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_together_is_said(case):
    messages, said = BAD[case]
    with pytest.raises(Unreadable) as error:
        read_messages(messages)
    assert said in str(error.value)
    assert error.value.reason == "bad_conversation"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            {"role": "assistant", "content": '<tool_call>{"name": "a", "name": "b"}'},
            "duplicate_key",
        ),
        ({"role": "assistant", "content": "<tool_call>\nfetch it\n</tool_call>"}, "invalid_json"),
        ({"role": "function_call", "content": "{"}, "invalid_json"),
        ({"role": "assistant", "tool_calls": [{"function": "f"}]}, "missing_field"),
        ("Hello.", "wrong_type"),
    ],
)
def test_a_call_that_cannot_be_read_has_a_reason(message, reason):
    with pytest.raises(Unreadable) as error:
        read_messages([ASKED, message, ANSWER])
    assert error.value.reason == reason
