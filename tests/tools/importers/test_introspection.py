"""Any typed, documented Python function becomes a tool, or a line that says why not."""

import textwrap

import pytest

from apigen_ray.errors import BadInput
from apigen_ray.tools.importers.python import read_python
from apigen_ray.tools.library import load_library
from apigen_ray.tools.write_forms import shown_form


@pytest.fixture
def library(tmp_path):
    def load(source, name="mine.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return load_library([str(path)])

    return load


GOOGLE = '''
    """Scale it.

    Args:
        x: The value, in metres.
    """
'''
NUMPY = '''
    """Scale it.

    Parameters
    ----------
    x : float
        The value, in metres.
    """
'''
REST = '''
    """Scale it.

    :param x: The value, in metres.
    """
'''


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, REST], ids=["google", "numpy", "rest"])
def test_three_docstring_styles_give_one_tool(library, docstring):
    tool = library("def scale(x: float) -> float:" + docstring + "    return x").tools[0]
    assert tool.description == "Scale it."
    assert tool.parameters == {
        "type": "object",
        "properties": {"x": {"type": "number", "description": "The value, in metres."}},
        "required": ["x"],
    }


def test_types_ranges_and_defaults_are_kept(library):
    tool = library(
        '''
        from typing import Annotated, Literal, TypedDict

        CATEGORY = "Finance"

        class Item(TypedDict):
            title: str
            price: Annotated[float, {"minimum": 0}]

        def total(
            items: list[Item],
            currency: Literal["EUR", "USD"] = "EUR",
            rate: Annotated[float | None, {"maximum": 1}] = None,
        ) -> float:
            """Add up."""
            return 0.0
        '''
    ).tools[0]
    properties = tool.parameters["properties"]
    assert tool.category == "Finance"
    assert tool.parameters["required"] == ["items"]
    assert properties["currency"]["enum"] == ["EUR", "USD"]
    assert properties["currency"]["default"] == "EUR"
    assert properties["rate"]["maximum"] == 1
    item = tool.parameters["$defs"]["Item"]
    assert item["properties"]["price"] == {"minimum": 0, "type": "number"}
    assert set(item["properties"]) == {"title", "price"}


def test_doctests_become_example_arguments_only_for_models(library):
    tool = library(
        '''
        def power(base: float, exponent: int = 2) -> float:
            """Raise it.

            >>> power(3)
            9
            >>> power(base=2, exponent=10)
            1024
            >>> power(base=2, exponent=-10**9)
            Traceback (most recent call last):
            ValueError: too small
            """
            return base**exponent
        '''
    ).tools[0]
    assert tool.parameters["examples"] == [{"base": 3}, {"base": 2, "exponent": 10}]
    assert "examples" not in shown_form(tool)["parameters"]


def test_get_tools_decides_what_is_offered(library):
    found = library(
        '''
        def _hidden(x: int) -> int:
            """Do it."""
            return x

        def get_tools():
            return {"do_it": _hidden}
        '''
    )
    assert [(tool.name, tool.backend.function) for tool in found.tools] == [("do_it", "do_it")]


def test_a_package_is_read_with_its_submodules(library, tmp_path):
    (tmp_path / "kit" / "inner").mkdir(parents=True)
    (tmp_path / "kit" / "__init__.py").write_text('"""Kit."""')
    (tmp_path / "kit" / "inner" / "__init__.py").write_text("")
    found = library('def f(x: int) -> int:\n    """Do."""\n', "kit/inner/deep.py")
    assert load_library([str(tmp_path / "kit")]).tools[0].backend.module == "kit.inner.deep"
    assert found.tools[0].name == "f"


def test_functions_that_cannot_be_described_are_reported(library):
    found = library(
        '''
        def good(x: int) -> int:
            """Do."""
        def untyped(x):
            """Do."""
        def undocumented(x: int): ...
        def starred(*xs: int):
            """Do."""
        def opaque(x: "socket.socket"):
            """Do."""
        '''
    )
    assert [tool.name for tool in found.tools] == ["good"]
    assert len(found.notices) == 4
    assert any("'x' has no type" in notice for notice in found.notices)


PLAIN = """
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, StrEnum
from typing import Annotated, Any, Generic, Literal, NotRequired, Optional, TypedDict, TypeVar
from pydantic import BaseModel

T = TypeVar("T")

class Colour(Enum):
    RED = "red"

class Size(StrEnum):
    S = "s"
    L = "l"

class Odd(Enum):
    PAIR = (1, 2)

@dataclass
class Point:
    x: int

class Model(BaseModel):
    x: int

class Plain(TypedDict):
    a: list[int]
    b: NotRequired[Annotated[float, {"minimum": 0}]]

class Holds(TypedDict):
    point: Point

@dataclass
class Wraps:
    raw: bytes

@dataclass
class Node:
    more: "list[Node]"

class Box(Generic[T]):
    pass

class Endless(TypedDict):
    more: list["Endless"]
"""


def functions(annotations):
    """A source with a function for each annotation of its parameter, in their order."""
    written = (f"def f{i}(x: {text}):\n    'Do.'\n" for i, text in enumerate(annotations))
    return PLAIN + "\n".join(written)


def test_what_json_has_can_be_a_parameter(library):
    annotations = [
        "Plain", "dict[str, Plain]", "Annotated[int | None, {'minimum': 0}]", "Literal['a', 1]",
        "tuple[int, str]", "Optional[Sequence[str]]", "Mapping[str, Any]", "object", "None",
    ]  # fmt: skip
    found = library(functions(annotations))
    assert not found.notices
    assert len(found.tools) == len(annotations)


def resolved(schema, defs):
    """A schema with its definitions in place, without what docstrings add."""
    if isinstance(schema, list):
        return [resolved(item, defs) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return resolved(defs[schema["$ref"].removeprefix("#/$defs/")] | beside, defs)
    return {k: resolved(v, defs) for k, v in schema.items() if k != "description"}


POINT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("Colour", {"type": "string", "enum": ["red"]}),
        ("Size | None", {"anyOf": [{"type": "string", "enum": ["s", "l"]}, {"type": "null"}]}),
        ("Literal[Size.S]", {"type": "string", "const": "s"}),
        ("list[Point]", {"type": "array", "items": POINT}),
        ("dict[str, Model]", {"type": "object", "additionalProperties": POINT}),
        ("Holds", {"type": "object", "properties": {"point": POINT}, "required": ["point"]}),
        ("Point | int", {"anyOf": [POINT, {"type": "integer"}]}),
        ("set[int]", {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        ("date", {"type": "string", "format": "date"}),
        ("Point = Point(3)", POINT | {"default": {"x": 3}}),
        ("Size = Size.S", {"type": "string", "enum": ["s", "l"], "default": "s"}),
    ],
)
def test_what_the_runner_makes_out_of_json_is_described_as_that(library, annotation, schema):
    parameters = library(functions([annotation])).tools[0].parameters
    assert resolved(parameters["properties"]["x"], parameters.get("$defs")) == schema


def test_a_dataclass_that_holds_itself_is_described(library):
    parameters = library(functions(["Node"])).tools[0].parameters
    assert parameters["$defs"]["Node"]["properties"]["more"]["items"] == {"$ref": "#/$defs/Node"}


def test_what_no_json_value_can_become_is_not_offered(tmp_path):
    named = {
        "Odd": "Odd, whose values", "bytes": "bytes", "Endless": "Endless, which holds itself",
        "Wraps": "bytes", "list[type]": "type", "Box[int]": "Box",
    }  # fmt: skip
    path = tmp_path / "mine.py"
    path.write_text(functions(named))
    tools, reasons = read_python(path)
    assert not tools
    for reason, name in zip(reasons, named.values(), strict=True):
        assert f"parameter 'x' takes {name}" in reason


def test_docstrings_that_no_parser_reads_do_no_harm(library):
    source = '''
        class NoFunction: ...

        def bad_example(x: int) -> int:
            """Do.

            >>> bad_example(
            """
    '''
    (tool,) = library(source).tools
    assert tool.name == "bad_example"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
        ("def f(:", "SyntaxError"),
        ("import sys; sys.exit(0)", "the import ended the process"),
        ("raise SystemExit(3)", "exit"),
        ("x = 1", "no tool found"),
    ],
)
def test_a_source_that_cannot_be_imported_is_one_line(library, source, message):
    with pytest.raises(BadInput, match=message) as caught:
        library(source)
    assert "\n" not in str(caught.value)


def test_a_module_that_prints_while_imported_does_no_harm(library):
    assert library('print("hello")\ndef f(x: int):\n    """Do."""\n').tools


def test_two_tools_of_one_name_are_refused(tmp_path):
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text('def f(x: int):\n    """Do."""\n')
    with pytest.raises(BadInput, match="another tool is already named 'f'"):
        load_library([str(tmp_path / "a.py"), str(tmp_path / "b.py")])


def test_a_missing_source_is_named():
    with pytest.raises(BadInput, match=r"nowhere\.py: no such file"):
        load_library(["nowhere.py"])
