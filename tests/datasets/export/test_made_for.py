"""An export for a model has what comes back from its chat template, in the form it takes."""

import json

import pytest
from chat_templates import LLAMA, MISTRAL, QWEN
from conversations import ROWS, user, verified

from apigen_ray.datasets.export.chat_template import load_template
from apigen_ray.datasets.export.rendered import agrees, rendered_calls
from apigen_ray.datasets.export.writing import export
from apigen_ray.errors import BadInput

LOOP = """
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content }}
    {%- for call in message.tool_calls %}CALL{%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
"""
TAGS = """
    {{- '<tool_call>\\n<function=' + call.function.name + '>\\n' }}
    {%- for name, value in call.function.arguments.items() %}
        {{- '<parameter=' + name + '>\\n' }}
        {{- value if value is string else VALUE }}
        {{- '\\n</parameter>\\n' }}
    {%- endfor %}
    {{- '</function>\\n</tool_call>' }}
"""
TEXT = """{{- '[TOOL_CALLS]' + call.function.name + '[ARGS]' + call.function.arguments }}"""
TEMPLATES = {
    "qwen": QWEN,
    "tags": LOOP.replace("CALL", TAGS.replace("VALUE", "value | tojson")),
    "python's words": LOOP.replace("CALL", TAGS.replace("VALUE", "value | string")),
    "text only": LOOP.replace("CALL", TEXT),
    "no calls": LOOP.replace("CALL", ""),
    "cut": QWEN.replace("{{- '\\n' + message.content }}", "{{- '\\n' + message.content[:10] }}"),
}
EXPECTED = {
    "qwen": ("openai-objects", {}),
    "tags": ("openai-objects", {}),
    "python's words": ("openai-objects", {"null": "arguments come back as {"}),
    "text only": ("openai", {}),
    "no calls": (None, dict.fromkeys(("pair", "odd"), "0 calls come back of 1")),
    "cut": ("openai-objects", {"parallel": "leaves out what the user says"}),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("for") / "run"
    verified(ROWS, out)
    return out


def exported(run, tmp_path, template):
    (tmp_path / "template.jinja").write_text(template)
    found = export(run, "openai", tmp_path / "out", for_model=str(tmp_path / "template.jinja"))
    lines = (tmp_path / "out" / "removed.jsonl").read_text().splitlines()
    return found, {row["id"]: row["of"] for row in map(json.loads, lines)}


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_does_not_come_back_is_left_out_and_named(name, run, tmp_path):
    form, differing = EXPECTED[name]
    found, removed = exported(run, tmp_path, TEMPLATES[name])
    assert found.format == (form or found.format)
    assert found.written + len(removed) == len(ROWS)
    assert removed.keys() >= differing.keys()
    for id_, said in differing.items():
        assert said in removed[id_]
    if not differing:
        assert not removed
    assert found.removed == ({"not_rendered": len(removed)} if removed else {})


def test_a_template_of_single_calls_gets_those(run, tmp_path):
    found, removed = exported(
        run, tmp_path, LLAMA.replace("'tool_calls' in message", "message.tool_calls")
    )
    assert found.format == "openai-objects"
    assert "only supports single tool-calls" in removed["parallel"]
    assert "pair" not in removed


def test_the_template_of_a_folder_is_found_with_its_tokens(tmp_path):
    config = {
        "bos_token": {"content": "<begin>"},
        "chat_template": "{{ bos_token }}{{ messages[0].content }}",
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    template = load_template(str(tmp_path))
    assert template.render([user("Hi.")], []) == "<begin>Hi."
    (tmp_path / "chat_template.jinja").write_text(
        "{% generation %}{{ eos_token }}{% endgeneration %}"
    )
    assert load_template(str(tmp_path)).render([], []) == "</s>"


def test_bad_templates_are_named(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "bad.jinja").write_text("{% for %}")
    (tmp_path / "none").mkdir()
    for model, said in (("bad.jinja", "not a chat template"), ("none", "has no chat template")):
        with pytest.raises(BadInput, match=said):
            export(run, "openai", tmp_path / "out", for_model=str(tmp_path / model))
    with pytest.raises(BadInput, match="needs --format openai"):
        export(run, "xlam", tmp_path / "out", for_model=str(tmp_path / "bad.jinja"))


ARGUMENTS = {"port": 'Kiel "x"', "days": [1, 2], "ok": True, "n": None}
JSON = json.dumps(ARGUMENTS)
BARE = {k: v if isinstance(v, str) else json.dumps(v) for k, v in ARGUMENTS.items()}
RENDERED = {
    "qwen": "<|im_start|>assistant\n<tool_call>\n"
    f'{{"name": "tide", "arguments": {JSON}}}\n</tool_call>',
    "llama": "<|start_header_id|>assistant<|end_header_id|>\n\n"
    f'{{"name": "tide", "parameters": {JSON}}}<|eot_id|>',
    "mistral": f'[TOOL_CALLS] [{{"name": "tide", "arguments": {JSON}, "id": "123456789"}}]</s>',
    "gpt-oss": "<|start|>assistant to=functions.tide<|channel|>commentary json<|message|>"
    f"{JSON}<|call|>",
    "deepseek": "<\uff5cAssistant\uff5c><\uff5ctool\u2581calls\u2581begin\uff5c>"
    "<\uff5ctool\u2581call\u2581begin\uff5c>function<\uff5ctool\u2581sep\uff5c>tide\n```json\n"
    f"{JSON}\n```<\uff5ctool\u2581call\u2581end\uff5c><\uff5ctool\u2581calls\u2581end\uff5c>",
    "glm": "<|assistant|>\n<tool_call>tide\n"
    + "".join(f"<arg_key>{k}</arg_key>\n<arg_value>{v}</arg_value>\n" for k, v in BARE.items())
    + "</tool_call>",
    "tags": "<tool_call>\n<function=tide>\n"
    + "".join(f"<parameter={k}>\n{v}\n</parameter>\n" for k, v in BARE.items())
    + "</function>\n</tool_call>",
    "invoke": '<x:invoke name="tide">\n'
    + "".join(f'<x:parameter name="{k}">{v}</x:parameter>\n' for k, v in BARE.items())
    + "</x:invoke>",
    "gemma": '<|tool_call>call:tide{days:[1,2],n:null,ok:true,port:<|"|>Kiel "x"<|"|>}<tool_call|>',
    "lfm": "<|tool_call_start|>[tide(port='Kiel \"x\"', days=[1, 2], ok=True, n=None)]"
    "<|tool_call_end|>",
}


@pytest.mark.parametrize("family", RENDERED)
def test_the_calls_of_ten_families_are_read_back(family):
    [found] = rendered_calls(RENDERED[family])
    assert found.name == "tide"
    assert agrees(found.arguments, ARGUMENTS)
    for name, value in ARGUMENTS.items():
        other = {"n": 0, "days": [1, 2.0], "ok": "true!", "port": "Kiel"}[name]
        assert not agrees(found.arguments, ARGUMENTS | {name: other}), (name, value)


def test_a_template_of_calls_with_ids_is_taken(run, tmp_path):
    _, removed = exported(run, tmp_path, MISTRAL)
    assert not {"pair", "odd", "null", "parallel", "none"} & removed.keys()
