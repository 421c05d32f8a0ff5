"""Cleaning: what is dropped, what is called with which arguments, and what a model may change."""

import json
from dataclasses import replace

import pytest

from apigen_ray.errors import BadInput, EndpointError, SandboxLost
from apigen_ray.records import Failed, PythonBackend, Reason, Reply, RestBackend, Returned, Tool
from apigen_ray.tools.importers.findings import Imported
from apigen_ray.workflows.clean_tools.access import Journal, documented_arguments
from apigen_ray.workflows.clean_tools.cleaner import (
    Cleaner,
    Excluded,
    Kept,
    Settings,
    clean_all,
    select,
)
from apigen_ray.workflows.clean_tools.documentation import (
    description_problem,
    misread,
    text_problem,
    undocumented,
)
from apigen_ray.workflows.clean_tools.model_requests import UnusableAnswer
from apigen_ray.workflows.clean_tools.rewriting import with_new_texts

CITY = {"type": "string", "description": "The city."}


def tool(name="get_weather", description="Tell the weather of a city.", properties=None, **more):
    properties = {"city": CITY} if properties is None else properties
    parameters = {"type": "object", "properties": properties, **more}
    return Tool(name, description, parameters, "Other", PythonBackend("m", name))


def item(*arguments, **more):
    made = tool(*arguments, **more)
    return Imported(made, "test", made.name)


# --- documentation


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (" - ", "is empty"),
        ("TODO", "placeholder"),
        ("No description available.", "placeholder"),
        ("test 1", "placeholder"),
        ("Get Weather", "only repeats the name"),
        ("Weather data", "fewer than 3 words"),
        ("<p>Tell the weather</p>", "markup"),
        ("Tell the **weather** of a city", "markup"),
        ("Tell the weather &nbsp; of a city", "markup"),
        ("https://example.org/weather", "only a URL"),
        ("Сообщает погоду в городе", "not in English"),
        ("Tell the weather. " * 100, "1,799 characters"),
    ],
)
def test_a_text_that_describes_nothing_is_suspected(text, says):
    assert says in text_problem(text, "get_weather")
    assert says in description_problem(tool(description=text))


@pytest.mark.parametrize(
    "text",
    [
        "Tell the weather.",
        "Returns a < b and b > c for two numbers",
        "Wörter für das Wetter",
        "Get Weather for the city",
    ],
)
def test_a_text_that_says_something_is_not(text):
    assert text_problem(text, "get_weather") is None


def test_a_placeholder_for_a_parameter_is_suspected_and_a_missing_text_is_not():
    assert "'city'" in description_problem(
        tool(properties={"city": {"type": "string", "description": "string"}})
    )
    assert description_problem(tool(properties={"city": {"type": "string"}})) is None


def test_a_tool_is_undocumented_if_no_text_is_left_to_go_by():
    assert undocumented(tool(description="-", properties={"x": {"type": "string"}}))
    assert not undocumented(tool(description=""))  # its parameter is described


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (tool(required=["town"]), "required parameter 'town'"),
        (tool(properties={"a b": CITY}), "'a b' is not"),
        (tool(properties={"<city>": CITY}), "'<city>' is not"),
        (tool(description="Give [object Object] for a city."), "[object Object]"),
        (tool(description="Give it.\n:param city: the city"), ":param"),
        (tool(properties={"city": {"type": "string", "description": "{{city}} of"}}), "{{city}}"),
    ],
)
def test_documentation_that_was_read_wrongly_is_told(made, says):
    assert says in misread(made)
    _, (excluded,) = select([Imported(made, "", made.name)], Settings())
    assert (excluded.outcome, excluded.reason) == ("dropped", "misread")


def test_tools_without_parameters_are_dropped_unless_they_are_wanted():
    made = item(properties={})
    assert select([made], Settings())[1][0].reason == "no_parameters"
    assert select([made], Settings(keep_without_parameters=True)) == ([made], [])


def test_what_may_change_something_is_not_called_where_only_reading_is_allowed():
    get, post = (
        replace(item(), tool=replace(tool(), backend=RestBackend(method, "https://a.test")))
        for method in ("GET", "POST")
    )
    fit, (excluded,) = select([get, post], Settings(read_only=True))
    assert (fit, excluded.item, excluded.reason) == ([get], post, "unsafe")


# --- arguments


@pytest.mark.parametrize(
    ("made", "arguments"),
    [
        (tool(examples=[{"city": "Rome"}]), [{"city": "Rome"}]),
        (tool(examples=[{"town": "Rome"}]), []),  # what stage 1 would refuse is not tried
        (tool(required=["city"]), []),
        (tool(), [{}]),
        (tool(properties={"city": CITY | {"examples": ["Rome"]}}), [{"city": "Rome"}]),
        (tool(properties={"u": {"type": "string", "enum": ["C", "F"]}}), [{}]),
        (tool(properties={"u": {"enum": ["C", "F"]}}, required=["u"]), [{"u": "C"}]),
        (tool(properties={"n": {"type": "integer", "default": 0}}, required=["n"]), [{"n": 0}]),
        (tool(properties={"n": {"type": "integer", "default": "0"}}), []),
    ],
)
def test_the_arguments_tried_are_examples_or_defaults(made, arguments):
    assert documented_arguments(made) == arguments


# --- descriptions

ANSWER = {"usable": False, "description": "Tell how warm a city is.", "parameters": {"city": "It."}}


def test_a_rewritten_tool_differs_in_texts_alone():
    made = tool(required=["city"], examples=[{"city": "Rome"}])
    changed = with_new_texts(made, ANSWER)
    assert changed.description == "Tell how warm a city is."
    assert changed.parameters["properties"]["city"].pop("description") == "It."
    assert replace(changed, description=made.description, parameters=made.parameters) == made
    del made.parameters["properties"]["city"]["description"]
    assert changed.parameters == made.parameters


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "other"}, "only descriptions may change, not name"),
        ({"parameters": {"town": "The town."}}, "no argument 'town'"),
        ({"parameters": {"city": {"type": "integer"}}}, "must be text"),
        ({"parameters": ["city"]}, "an object of texts"),
        ({"parameters": {"city": " "}}, "must be text"),
        ({"description": "TODO"}, "the new description is a placeholder"),
        ({"description": None}, "`description` must be text"),
    ],
)
def test_an_answer_that_would_change_more_than_texts_is_refused(change, says):
    with pytest.raises(UnusableAnswer, match=says):
        with_new_texts(tool(), ANSWER | change)


def test_a_description_that_the_model_finds_usable_stays():
    assert with_new_texts(tool(), {"usable": True}) == tool()


# --- the steps


class Calls:
    """A runner that answers from a table, and counts."""

    def __init__(self, answer=lambda call: Returned({"ok": 1}, 0.1)):
        self.answer = answer
        self.made = []

    async def run(self, calls):
        self.made += calls
        return [self.answer(call) for call in calls]


class Talk:
    """A model that gives its answers in turn."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def complete(self, messages, schema=None, *, sample=""):
        self.asked.append(messages)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return Reply(text, "stop", 1, 1, 0.0, 0.1, 1)

    async def close(self):
        pass


@pytest.fixture
def clean(tmp_path):
    async def run(items, runner=None, model=None, path="j", **settings):
        journal = Journal(tmp_path / path, "")
        try:
            cleaner = Cleaner(Settings(**settings), runner or Calls(), journal, model)
            return await clean_all(items, cleaner, lambda _: None)
        finally:
            journal.close()

    return run


async def test_a_tool_that_answers_is_kept_with_the_arguments_that_worked(clean):
    def answer(call):
        good = call.arguments["city"] == "Rome"
        return Returned("warm", 0.1) if good else Failed(Reason.HTTP_STATUS, "404", 0.1)

    made = item(examples=[{"city": "Atlantis"}, {"city": "Rome"}, {"city": "Paris"}])
    runner = Calls(answer)
    kept = (await clean([made], runner))["get_weather"]
    assert kept.call.arguments == {"city": "Rome"}
    assert [call.arguments["city"] for call in runner.made] == ["Atlantis", "Rome"]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (Failed(Reason.TIMEOUT, "10 s", 10), "timeout"),
        (Failed(Reason.ERROR_IN_BODY, "no such city", 0.1), "error_in_body"),
        (Failed(Reason.RAISED, "ValueError", 0.1), "raised"),
    ],
)
async def test_a_tool_that_does_not_answer_is_dropped_for_the_reason_of_stage_2(
    clean, result, reason
):
    excluded = (await clean([item()], Calls(lambda _: result)))["get_weather"]
    assert (excluded.outcome, excluded.reason) == ("dropped", reason)


async def test_what_was_called_is_not_called_again(clean):
    runner = Calls()
    first = await clean([item(), item("other")], runner)
    assert await clean([item(), item("other")], runner) == first
    assert len(runner.made) == 2
    await clean([item(examples=[{"city": "Rome"}])], runner)
    assert len(runner.made) == 3


async def test_half_a_line_of_a_killed_process_is_not_read(clean, tmp_path):
    runner = Calls()
    await clean([item(), item("other")], runner)
    text = (tmp_path / "j").read_text()
    (tmp_path / "j").write_text(text[: len(text) - 10])
    await clean([item(), item("other")], runner)
    assert len(runner.made) == 3
    await clean([item(), item("other")], runner)
    assert len(runner.made) == 3


def test_two_processes_do_not_share_a_journal(tmp_path):
    first = Journal(tmp_path / "j", "")
    with pytest.raises(BadInput, match="another process"):
        Journal(tmp_path / "j", "")
    first.close()


async def test_a_model_proposes_arguments_and_is_told_what_is_wrong_with_them(clean):
    model = Talk({"arguments": [{"town": "Rome"}]}, {"arguments": [{"city": 1}, {"city": "Rome"}]})
    runner = Calls()
    kept = (await clean([item(required=["city"])], runner, model))["get_weather"]
    assert kept.call.arguments == {"city": "Rome"}
    assert len(runner.made) == 1
    assert "'town' was unexpected" in model.asked[1][2].content


async def test_a_model_that_proposes_nothing_of_use_twice_drops_the_tool(clean):
    model = Talk("I can't.", {"arguments": []})
    excluded = (await clean([item(required=["city"])], None, model))["get_weather"]
    assert (excluded.outcome, excluded.step, excluded.reason) == (
        "dropped",
        "access",
        "no_arguments",
    )


async def test_without_a_model_what_needs_one_is_left(clean):
    results = await clean([item(required=["city"]), item("other", "TODO")])
    told = [(r.outcome, r.step, r.reason, r.failed) for r in results.values()]
    assert told == [
        ("left", "access", "no_arguments", False),
        ("left", "rewrite", "no_description", False),
    ]


async def test_only_suspected_descriptions_are_asked_about_unless_all_shall_be(clean):
    assert isinstance((await clean([item()], None, Talk()))["get_weather"], Kept)
    kept = (await clean([item()], None, Talk(ANSWER), review_all=True))["get_weather"]
    assert (kept.original_description, kept.item.tool.description) == (
        tool().description,
        ANSWER["description"],
    )


async def test_the_last_json_of_an_answer_counts(clean):
    thinking = f"Such as {json.dumps(ANSWER | {'description': 'TODO'})}? No: {json.dumps(ANSWER)}"
    kept = (await clean([item("x", "TODO")], None, Talk(thinking)))["x"]
    assert kept.item.tool.description == ANSWER["description"]


@pytest.mark.parametrize("broken", ["model", "sandbox"])
async def test_what_fails_for_another_cause_is_left_and_soon_the_rest_is_not_tried(clean, broken):
    def lost(_):
        raise SandboxLost("gone")

    items = [item(f"t{n}", required=["city"]) for n in range(50)]
    if broken == "model":
        model = Talk(*[EndpointError("down")] * 50)
    else:
        model = Talk(*[{"arguments": [{"city": "Rome"}]}] * 50)
    results = await clean(items, Calls(lost), model, concurrency=1)
    assert all(
        isinstance(r, Excluded) and r.outcome == "left" and r.failed for r in results.values()
    )
    assert len(model.asked) == 20
    assert list(results.values())[-1].reason == "not_tried"


async def test_hosts_take_turns(clean):
    hosts = ["a"] * 3 + ["b"] * 2
    items = [
        replace(item(f"{host}{n}"), tool=replace(
            tool(f"{host}{n}"), backend=RestBackend("GET", f"https://{host}.test")))
        for n, host in enumerate(hosts)
    ]  # fmt: skip
    runner = Calls()
    await clean(items, runner, concurrency=1)
    assert [call.name[0] for call in runner.made] == ["a", "b", "a", "b", "a"]
