"""Tools that can't be called are found before the first prompt, each with what it lacks."""

import json
import time
from io import StringIO

import pytest
from rich.console import Console

from apigen_ray import pipeline  # noqa: F401 - it tells Ray about its environment first
from apigen_ray.cli import main
from apigen_ray.config import load_config
from apigen_ray.errors import BadInput
from apigen_ray.stages.execute.rest import RestSettings
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.manifest import identity_of
from apigen_ray.workflows.reachable import reachable_tools, unreachable
from apigen_ray.workflows.verify import verify

QUICKSTART = "configs/quickstart.yaml"
KEY = {"in": "header", "name": "X-Key", "env": "KEY_THAT_NOBODY_SET"}


def rest(url, **more):
    return {"kind": "rest", "method": "GET", "url": url} | more


def virtual(url, **more):
    return {
        "kind": "virtual",
        "url": url,
        "category": "c",
        "tool_name": "t",
        "api_name": "a",
    } | more


BACKENDS = {
    "none": None,
    "public": rest("https://8.8.8.8/{x}"),
    "private": rest("http://10.0.0.1/a"),
    "local": rest("http://localhost:9/a"),
    "loopback": rest("http://127.0.0.1:9/a"),
    "odd": rest("http://0x7f.1/a"),
    "six": rest("http://[::1]:9/a"),
    "keyed": rest("https://8.8.8.8/a", auth_env=KEY),
    "played": virtual("http://127.0.0.1:8080/virtual"),
    "played_keyed": virtual("https://8.8.8.8/virtual", key_env="KEY_THAT_NOBODY_SET"),
    "unknown": rest("http://no-such-host.invalid/a"),
}


@pytest.fixture
def tool_list(tmp_path):
    def written(*names):
        path = tmp_path / "tools.jsonl"
        path.write_text(
            "".join(
                json.dumps({"name": name, "description": "d", "backend": BACKENDS[name]}) + "\n"
                for name in names
            )
        )
        return str(path)

    return written


@pytest.fixture
def console():
    return Console(file=StringIO(), width=1000)


def causes(source, *, env=(), **settings):
    tools = load_library([source]).tools
    return unreachable(tools, RestSettings(**settings), dict.fromkeys(env, "secret"), {})


def test_each_tool_that_cannot_be_called_has_its_cause(tool_list):
    found = causes(tool_list(*BACKENDS))
    assert "is not a public address" in found.pop("local")
    assert {name: " ".join(cause.split()[:6]) for name, cause in found.items()} == {
        "none": "no backend",
        "private": "10.0.0.1: 10.0.0.1:80 is not a public",
        "loopback": "127.0.0.1: 127.0.0.1:9 is not a public",
        "odd": "0x7f.1: '0x7f.1' is neither a host",
        "six": "::1: [::1]:9 is not a public",
        "keyed": "its API key $KEY_THAT_NOBODY_SET is not",
        "played": "127.0.0.1: 127.0.0.1:8080 is not a public",
        "played_keyed": "its API key $KEY_THAT_NOBODY_SET is not",
    }


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("private", {"allow": ["10.0.0.0/8"]}),
        ("local", {"allow": ["127.0.0.1", "::1"]}),
        ("loopback", {"allow": ["127.0.0.1:9"]}),
        ("keyed", {"env": ["KEY_THAT_NOBODY_SET"]}),
        ("keyed", {"mode": "replay", "cassette": "c"}),
        ("private", {"mode": "replay", "cassette": "c"}),
    ],
)
def test_what_is_allowed_and_set_can_be_called(tool_list, name, settings):
    assert causes(tool_list(name), **settings) == {}


def test_a_host_that_is_not_listed_is_refused(tool_list):
    found = causes(tool_list("public"), hosts=["api.example.com"])
    assert found == {"public": "8.8.8.8: 8.8.8.8:443 is not one of the allowed hosts"}


def test_a_run_names_the_tools_or_leaves_them_out(tool_list, console):
    library = load_library([tool_list("none", "public", "keyed")])
    with pytest.raises(BadInput) as caught:
        reachable_tools(library, load_config(QUICKSTART), console)
    said = (
        "tools: 2 of 3 can't be called: none: no backend; "
        "keyed: its API key $KEY_THAT_NOBODY_SET is not set"
    )
    advice = " (--set execute.skip_unreachable=true leaves them out)"
    assert str(caught.value) == said + advice
    config = load_config(QUICKSTART, ["execute.skip_unreachable=true"])
    assert [tool.name for tool in reachable_tools(library, config, console).tools] == ["public"]
    assert console.file.getvalue() == f"{said}; left out\n"


def test_many_tools_are_counted_and_none_left_is_no_run(tmp_path, console):
    path = tmp_path / "mcp.jsonl"
    path.write_text("".join(json.dumps({"name": f"t{n}"}) + "\n" for n in range(50)))
    config = load_config(QUICKSTART, ["execute.skip_unreachable=true"])
    with pytest.raises(BadInput) as caught:
        reachable_tools(load_library([str(path)]), config, console)
    assert str(caught.value) == (
        "tools: 50 of 50 can't be called: t0, t1, t2, t3, t4 and 45 more: no backend"
    )


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_a_run_over_them_ends_in_its_first_seconds(tool_list, tmp_path, capsys, check):
    sources = f"tools=[{tool_list('none', 'loopback')}]"
    given = ["--set", sources, "--set", "seeds=[]", "--out", str(tmp_path / "run"), *check]
    started = time.monotonic()
    with pytest.raises(SystemExit) as exit_:
        main(["run", QUICKSTART, *given])
    said = capsys.readouterr()
    assert exit_.value.code == 2
    assert "2 of 2 can't be called: none: no backend; loopback: 127.0.0.1: " in said.out + said.err
    if not check:
        assert time.monotonic() - started < 5


def test_leaving_tools_out_is_not_of_the_identity_but_the_tools_are():
    skipping = load_config(QUICKSTART, ["execute.skip_unreachable=true"])
    assert identity_of(skipping, (), ()) == identity_of(load_config(QUICKSTART), (), ())


def test_rows_that_call_them_are_in_error_and_no_bad_samples(tool_list, tmp_path):
    data = tmp_path / "data.jsonl"
    rows = [
        {"id": name, "query": "q", "answers": [{"name": name, "arguments": {}}]}
        for name in ("none", "loopback")
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = verify(
        str(data),
        tools=[tool_list("none", "loopback")],
        stages=["format", "execution"],
        out=tmp_path / "out",
    )
    assert {row["id"]: (row["outcome"], row["reason"], row["detail"]) for row in result.rows()} == {
        "none": ("error", "sandbox", "none: no backend, so its calls can't be run"),
        "loopback": (
            "error",
            "endpoint",
            "loopback: 127.0.0.1: 127.0.0.1:9 is not a public address (`allow` can open it), "
            "so its calls can't be run",
        ),
    }
