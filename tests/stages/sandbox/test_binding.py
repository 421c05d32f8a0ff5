"""Arguments of types that JSON doesn't have are made out of it, and results are made JSON."""

import json
import sys
import typing
from pathlib import Path

import pytest
import typed_tools
from pydantic import BaseModel
from sandboxes import call, settings_for

from apigen_ray.records import Failed, Reason, Returned
from apigen_ray.stages.execute.sandbox import open_sandbox, pack
from apigen_ray.tools.importers.python import read_python

sys.path.append(str(Path(__file__).parents[3] / "sandbox"))
import binding
import child

RED = {"x": 1.0, "y": 0.0, "colour": "red", "count": 0}


def made(name, /, **arguments):
    """What a call gives, through JSON on both ways."""
    functions = {name: binding.bound(getattr(typed_tools, name))}
    answer = child.answer(functions, json.dumps([name, arguments]).encode(), child.Encoder(1 << 20))
    if answer[:1] != child.VALUE:
        return answer.decode()
    return json.loads(answer[1:])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("red", "Colour"),
        ("green", "str"),
        (2, "Level"),
        ({"x": 1}, "Point"),
        ({"name": "a"}, "Node"),
        (None, "NoneType"),
    ],
)
def test_a_value_becomes_the_first_type_of_a_union_that_takes_it(value, kind):
    assert made("kind", value=value) == kind


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("name_of", {"colour": "red"}, "RED"),
        ("name_of", {}, "BLUE"),
        ("move", {"points": {"a": [{"x": 0}]}, "by": 1.0}, {"a": [RED]}),
        ("depth", {"node": {"name": "a", "more": [{"name": "b"}]}}, 2),
        ("weekday", {"route": {"day": "2024-05-17", "start": {"x": 1}}}, ["Friday", 1]),
        ("pair", {"both": ["red", 1]}, ["RED", 1, []]),
        ("pair", {"both": ["red", 1], "rest": ["red", "blue"]}, ["RED", 1, ["RED", "BLUE"]]),
        (
            "distinct",
            {"numbers": [2, 1, 2], "when": "2024-05-17T09:30:00Z"},
            [[1, 2], "2024-05-17T09:30:00+00:00"],
        ),
        ("pick", {"which": "red"}, "<Colour.RED: 'red'>"),
        ("pick", {"which": 1}, "1"),
        ("later", {"colour": "blue"}, "blue"),
        ("plain", {"value": {"a": [1, None]}}, {"a": [1, None]}),
    ],
)
def test_arguments_are_what_the_annotations_say(name, arguments, result):
    assert made(name, **arguments) == result


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("name_of", {"colour": "green"}, "ValueError: colour: 'green' is not a valid Colour"),
        ("name_of", {"color": "red"}, "unexpected keyword argument 'color'"),
        ("depth", {"node": {"title": "a"}}, "node: Node has no 'title'"),
        ("depth", {"node": {}}, "missing 1 required positional argument: 'name'"),
        ("depth", {"node": {"name": 1}}, "node: 1 is not of type str"),
        ("depth", {"node": [1]}, "node: [1] is not of type dict"),
        ("move", {"points": {"a": [{"x": True}]}, "by": 1}, "points: True is not of type float"),
        ("move", {"points": {"a": [{"x": 1, "count": 1}]}, "by": 1}, "Point has no 'count'"),
        ("pair", {"both": ["red"]}, "both: must have 2 items, not 1"),
        ("weekday", {"route": {"day": "17 May"}}, "route: Invalid isoformat string"),
        ("pick", {"which": True}, "which: True must be one of"),
        ("kind", {"value": 3}, "value: 3 is not a valid Colour; "),
    ],
)
def test_what_can_not_be_made_is_an_exception_of_the_call(name, arguments, says):
    answer = made(name, **arguments)
    assert answer.startswith("R")
    assert says in answer


@pytest.mark.parametrize("name", ["endless", "odd"])
def test_a_result_that_is_no_json_value_at_any_depth_is_told(name):
    assert made(name).startswith("N")


def test_a_function_of_plain_types_is_not_wrapped():
    assert binding.bound(typed_tools.plain) is typed_tools.plain
    assert binding.bound(len) is len

    def unresolved(x: "nowhere.Type"):  # noqa: F821
        return x

    assert binding.bound(unresolved) is unresolved


def test_a_pydantic_model_makes_and_writes_itself():
    class Order(BaseModel):
        colour: typed_tools.Colour
        points: list[typed_tools.Point] = []

    def ask(order: typing.Optional[Order]) -> Order:  # noqa: UP045
        assert isinstance(order.colour, typed_tools.Colour)
        return order

    value = binding.bound(ask)(order={"colour": "red", "points": [{"x": 1}]})
    assert binding.plain(value) == {"colour": "red", "points": [RED]}
    with pytest.raises(ValueError, match=r"(?s)order: .*Input should be 'red' or 'blue'"):
        binding.bound(ask)(order={"colour": "green"})


@pytest.mark.parametrize(
    "kind", ["process", "bubblewrap", pytest.param("docker", marks=pytest.mark.docker)]
)
async def test_described_calls_run_in_every_sandbox(kind):
    path = Path(typed_tools.__file__)
    names = ("name_of", "move", "later")
    code = pack([path], {name: (path.stem, name) for name in names})
    sandbox = await open_sandbox(settings_for(kind), code)
    try:
        moved = await call(sandbox, "move", points={"a": [{"x": 0}]}, by=1.0)
        later = await call(sandbox, "later", colour="blue")
        wrong = await call(sandbox, "name_of", colour="green")
    finally:
        await sandbox.close()
    assert isinstance(moved, Returned), moved
    assert (moved.result, later.result) == ({"a": [RED]}, "blue")
    assert isinstance(wrong, Failed)
    assert wrong.reason is Reason.RAISED


def test_what_the_runner_makes_is_what_is_described(tmp_path):
    """The importer and the runner agree: each parameter that is described, can be made."""
    path = tmp_path / "documented.py"
    text = Path(typed_tools.__file__).read_text()
    path.write_text(text.replace(":\n    return", ':\n    """Do it."""\n    return'))
    tools, _ = read_python(path)
    described = {tool.name: tool.parameters for tool in tools}
    assert {"kind", "name_of", "move", "depth", "weekday", "pair", "distinct", "pick", "later"} <= (
        described.keys()
    )
    assert described["pick"]["properties"]["which"]["enum"] == ["red", "x", 1]
