"""What the sources of a run give together."""

import json

import pytest

from apigen_ray.errors import BadInput
from apigen_ray.stages.execute.sandbox import pack
from apigen_ray.tools.importers.findings import gather, write_import
from apigen_ray.tools.importers.python import import_python
from apigen_ray.tools.library import load_library

SOURCE = '''
def double(x: int) -> int:
    """Double a number."""
    return 2 * x

def half(x: int) -> float:
    """Halve a number."""
    return x / 2
'''


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def listed(code, tmp_path):
    """The tools of the code as a list that was edited: one was dropped, one described anew."""
    path = tmp_path / "tools.jsonl"
    write_import(gather(import_python([str(code)])), path)
    first = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps(first | {"description": "Twice a number."}) + "\n")
    return path


@pytest.mark.parametrize("order", [1, -1])
def test_a_list_and_the_code_it_names_are_one_library(listed, code, order):
    library = load_library([str(listed), str(code)][::order])
    assert [(tool.name, tool.description) for tool in library.tools] == [
        ("double", "Twice a number.")
    ]
    assert "mine.py" in pack(library.roots, {"double": ("mine", "double")}).files
    assert library.notices == (f"{code}: used only for the code of 1 listed tools",)


def test_code_that_no_list_names_has_tools_of_its_own(listed, code, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(SOURCE.replace("double", "triple").replace("half", "third"))
    library = load_library([str(listed), str(code), str(other)])
    assert [tool.name for tool in library.tools] == ["double", "triple", "third"]


def test_a_list_without_its_code_can_be_shown_but_not_run(listed):
    library = load_library([str(listed)])
    assert [tool.name for tool in library.tools] == ["double"]
    with pytest.raises(BadInput, match="'mine' is not in the tool code; add its file"):
        pack(library.roots, {"double": ("mine", "double")})


def test_two_sources_with_a_tool_of_one_name_are_refused(code, tmp_path):
    again = tmp_path / "again.py"
    again.write_text(SOURCE)
    with pytest.raises(BadInput, match="another tool is already named 'double'"):
        load_library([str(code), str(again)])
