"""Any typed, documented Python function becomes a tool, or a line that says why not."""

import textwrap

import pytest

from apigen_ray.errors import BadInput
from apigen_ray.tools import load_library, shown_form


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


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
        ("def f(:", "SyntaxError"),
        ("import sys; sys.exit(0)", "exits while it is imported"),
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
    with pytest.raises(BadInput, match="second tool is named 'f'"):
        load_library([str(tmp_path / "a.py"), str(tmp_path / "b.py")])


def test_a_missing_source_is_named():
    with pytest.raises(BadInput, match=r"nowhere\.py: no such file"):
        load_library(["nowhere.py"])
