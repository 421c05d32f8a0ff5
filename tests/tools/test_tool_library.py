"""The tools in `sandbox/tools` keep what their schemas and examples promise to a model."""

import doctest
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
import time
from collections import Counter
from copy import deepcopy
from pathlib import Path
from random import Random

import pytest

from apigen_ray.records import Checked
from apigen_ray.stages.check import CheckSettings, check_pair, signatures_of
from apigen_ray.tools.library import load_library

SANDBOX = Path(__file__).parents[2] / "sandbox"
PAPER_CATEGORIES = {
    *("Finance", "Data", "Sports", "Travel", "Technology", "Social", "Media", "Entertainment"),
    *("Tools", "Math", "Business", "Music", "Gaming", "Commerce", "Environment", "Education"),
    *("Communication", "Lifestyle", "Health", "Other", "Science"),
}
HEAVY = ("asyncio", "email", "http", "socket", "sqlite3", "ssl", "urllib")
DRAWS = 40
SLOWEST_S = 0.05


def _imported():
    """The modules of the package `tools`, which no other test gets to see."""
    sys.path.insert(0, str(SANDBOX))
    try:
        package = importlib.import_module("tools")
        names = [found.name for found in pkgutil.iter_modules(package.__path__, "tools.")]
        return [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(SANDBOX))
        for name in [name for name in sys.modules if name.split(".")[0] == "tools"]:
            del sys.modules[name]


MODULES = _imported()
FUNCTIONS = {name: getattr(module, name) for module in MODULES for name in module.__all__}
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
each_function = pytest.mark.parametrize("name", FUNCTIONS)


@pytest.fixture(scope="module")
def library():
    return load_library([str(SANDBOX / "tools")])


@pytest.fixture(scope="module")
def tools(library):
    return library.by_name()


def _examples(tool):
    return deepcopy(tool.parameters.get("examples", []))


def _properties(tool):
    return tool.parameters["properties"]


def _passes_stage_1(tool, arguments):
    pair = {"query": "?", "answers": [{"name": tool.name, "arguments": arguments}]}
    checked = check_pair(
        pair, style=None, signatures=signatures_of([tool]), settings=CheckSettings()
    )
    return isinstance(checked, Checked)


def _assert_plain_json(result):
    assert result is not None
    assert json.loads(json.dumps(result, allow_nan=False)) == result


# --- the library


def test_every_public_function_is_a_tool(library):
    assert library.notices == ()
    public = [name for module in MODULES for name in module.__all__]
    assert Counter(tool.name for tool in library.tools) == Counter(public)


@each_module
def test_all_names_every_public_function_of_its_module(module):
    defined = {
        name
        for name, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert set(module.__all__) == defined


def test_names_are_unique_and_legal():
    public = [name for module in MODULES for name in module.__all__]
    assert len(public) == len(set(public))
    assert [name for name in public if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)] == []


def test_there_are_many_tools_in_many_categories(library):
    sizes = Counter(tool.category for tool in library.tools)
    assert sizes.total() >= 60
    assert len(sizes) >= 8
    assert min(sizes.values()) >= 3
    assert set(sizes) <= PAPER_CATEGORIES


def test_importing_the_library_loads_nothing_heavy():
    names = [module.__name__ for module in MODULES]
    script = (
        f"import importlib, sys; sys.path.insert(0, {str(SANDBOX)!r})\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    command = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- the examples


@each_module
def test_doctests_pass(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@each_function
def test_has_three_literal_examples_that_pass_stage_1(name, tools):
    examples = _examples(tools[name])
    assert len({json.dumps(example, sort_keys=True) for example in examples}) >= 3
    assert [example for example in examples if not _passes_stage_1(tools[name], example)] == []


@each_function
def test_examples_show_and_the_docstring_describes_every_parameter(name, tools):
    properties = _properties(tools[name])
    assert {key for example in _examples(tools[name]) for key in example} == properties.keys()
    assert [key for key, schema in properties.items() if not schema.get("description")] == []


@each_function
def test_results_of_examples_are_plain_json_and_repeatable(name, tools):
    for arguments in _examples(tools[name]):
        result = FUNCTIONS[name](**deepcopy(arguments))
        _assert_plain_json(result)
        assert not (isinstance(result, dict) and "error" in result)
        assert FUNCTIONS[name](**deepcopy(arguments)) == result


@each_function
def test_examples_are_fast(name, tools):
    for arguments in _examples(tools[name]):
        assert min(_processor_seconds(name, arguments) for _ in range(3)) < SLOWEST_S


def _processor_seconds(name, arguments):
    started = time.process_time()
    FUNCTIONS[name](**deepcopy(arguments))
    return time.process_time() - started


# --- calls near the examples: what the simulated model makes


@each_function
def test_examples_with_scaled_numbers_and_without_options_work(name, tools):
    random = Random(f"near:{name}")
    for _ in range(DRAWS):
        arguments = _near_example(random, tools[name])
        assert _passes_stage_1(tools[name], arguments), arguments
        _assert_plain_json(FUNCTIONS[name](**deepcopy(arguments)))


def _near_example(random, tool):
    """An example without some optional arguments, and with each top-level number within 15 %."""
    required = tool.parameters.get("required", [])
    example = random.choice(_examples(tool))
    properties = _properties(tool)
    return {
        key: _scaled(random, value, properties[key])
        for key, value in example.items()
        if key in required or random.random() < 0.5
    }


def _scaled(random, value, schema):
    if schema.get("type") != "number" or {"enum", "multipleOf"} & schema.keys():
        return value
    scaled = round(value * random.uniform(0.85, 1.15), 2)
    within = (
        schema.get("minimum", scaled) <= scaled <= schema.get("maximum", scaled)
        and scaled > schema.get("exclusiveMinimum", scaled - 1)
        and scaled < schema.get("exclusiveMaximum", scaled + 1)
    )
    return scaled if within else value


# --- calls that have the right form and can't be answered


def _answers(tools, wrong):
    """What `wrong` of a parameter's schema does in an example: who refuses it, and who doesn't."""
    for name, tool in tools.items():
        for key, schema in _properties(tool).items():
            for branch in schema.get("anyOf", [schema]):
                arguments = _examples(tool)[0] | {key: wrong(branch)}
                if arguments[key] is None or not _passes_stage_1(tool, arguments):
                    continue
                try:
                    FUNCTIONS[name](**arguments)
                except ValueError:
                    yield "ValueError"
                else:
                    yield f"{name}({key}={arguments[key]!r}) returned"


def test_a_day_that_does_not_exist_raises_value_error(tools):
    def wrong(schema):
        return "2024-02-30" if schema.get("format") == "date" else None

    answers = Counter(_answers(tools, wrong))
    assert set(answers) == {"ValueError"}
    assert answers.total() >= 5


def test_an_empty_list_raises_value_error_where_the_schema_allows_it(tools):
    def wrong(schema):
        return [] if schema.get("type") == "array" and "minItems" not in schema else None

    answers = Counter(_answers(tools, wrong))
    assert set(answers) == {"ValueError"}
    assert answers.total() >= 5
