"""`hermes`: conversations with tagged calls, as the Hermes models are trained on."""

from apigen_ray.datasets.export.examples import (
    Example,
    Record,
    format_of,
    function_of,
    list_of,
    text,
)
from apigen_ray.stages.conversation import NO_CALL

PROMPT = """\
You are a function calling AI model. The functions you may call are described as JSON within \
<tools></tools> tags:
<tools>
{tools}
</tools>
Call one or more of them to answer the user, and invent no argument that the user did not give. \
Write each call as a JSON object within <tool_call></tool_call> tags:
<tool_call>
{{"name": <function name>, "arguments": <object of arguments>}}
</tool_call>"""


def hermes(example: Example) -> Record:
    """The record of an example."""
    tools = list_of(map(function_of, example.tools))
    calls = [f"<tool_call>\n{_tagged(text(call))}\n</tool_call>" for call in example.calls]
    return {
        "id": example.id,
        "conversations": [
            {"from": "system", "value": PROMPT.format(tools=_tagged(tools))},
            {"from": "human", "value": example.query},
            {"from": "gpt", "value": "\n".join(calls) or NO_CALL},
        ],
        "tools": tools,
    }


def _tagged(json_text: str) -> str:
    r"""JSON that can't close the tag around it: `</` occurs in strings only, as `<\/` there."""
    return json_text.replace("</", r"<\/")


FORMAT = format_of(hermes)
