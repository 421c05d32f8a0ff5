"""Chat templates that write what models are trained on, and readers of what they wrote.

Each gives the wire format of a model family, as its published template does, in words of our own:

- QWEN: Qwen2.5-Instruct and Qwen3, `chat_template` in tokenizer_config.json
- LLAMA: Llama-3.1-Instruct, and vLLM's examples/tool_chat_template_llama3.1_json.jinja; one call a
  message, as there
- MISTRAL: Mistral-7B-Instruct-v0.3, `chat_template` in tokenizer_config.json; ids have nine
  characters, as there

They are rendered as `transformers.PreTrainedTokenizerBase.apply_chat_template` does.
"""

import json
import re

from jinja2.sandbox import ImmutableSandboxedEnvironment

QWEN = """
{%- if tools %}
{{- '<|im_start|>system\\nYou are Qwen.\\n\\n# Tools\\n\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' + tool | tojson }}{%- endfor %}
{{- '\\n</tools><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role }}
    {%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
    {%- for call in message.tool_calls %}
        {{- '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
        {{- call.function.arguments | tojson }}
        {{- '}\\n</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
"""

LLAMA = """
{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' }}
    {%- if loop.first %}
        {%- for tool in tools %}{{- tool | tojson(indent=4) + '\\n\\n' }}{%- endfor %}
    {%- endif %}
    {%- if 'tool_calls' in message %}
        {%- if message.tool_calls | length != 1 %}
            {{- raise_exception('This model only supports single tool-calls at once!') }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' + call.arguments | tojson + '}' }}
    {%- else %}
        {{- message.content | trim }}
    {%- endif %}
    {{- '<|eot_id|>' }}
{%- endfor %}
"""

MISTRAL = """
{{- bos_token }}
{{- '[AVAILABLE_TOOLS] ' + tools | tojson + '[/AVAILABLE_TOOLS]' }}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '[INST] ' + message.content + '[/INST]' }}
    {%- elif message.tool_calls is defined %}
        {{- '[TOOL_CALLS] [' }}
        {%- for call in message.tool_calls %}
            {%- if call.id | length != 9 %}
                {{- raise_exception('Tool call IDs should be alphanumeric with length 9!') }}
            {%- endif %}
            {%- set written = call.function | tojson %}
            {{- written[:-1] + ', "id": "' + call.id + '"}' }}
            {{- ', ' if not loop.last }}
        {%- endfor %}
        {{- ']' + eos_token }}
    {%- else %}
        {{- ' ' + message.content + eos_token }}
    {%- endif %}
{%- endfor %}
"""


class Refused(Exception):
    """A template raised an exception of its own."""


def render(template, record):
    """A record's text, as a tokenizer would get it."""

    def tojson(value, indent=None):
        return json.dumps(value, ensure_ascii=False, indent=indent)

    def raise_exception(message):
        raise Refused(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    return environment.from_string(template).render(
        messages=record["messages"], tools=record["tools"], bos_token="<s>", eos_token="</s>"
    )


def read_tagged(text):
    """The calls within <tool_call> tags."""
    decoder = json.JSONDecoder()
    starts = [match.end() for match in re.finditer(r"<tool_call>\n(?=\{)", text)]
    return [decoder.raw_decode(text, start)[0] for start in starts]


def read_llama(text):
    """The call of the last message, in our names for its parts."""
    last = text.rsplit("<|end_header_id|>\n\n", 1)[1].removesuffix("<|eot_id|>")
    call = json.loads(last)
    return [{"name": call["name"], "arguments": call["parameters"]}]


def read_mistral(text):
    """The calls after [TOOL_CALLS]."""
    calls = json.loads(text.split("[/INST][TOOL_CALLS] ")[1].removesuffix("</s>"))
    return [{"name": call["name"], "arguments": call["arguments"]} for call in calls]
