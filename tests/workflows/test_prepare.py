"""What an executor is handed, and what it has to have."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from apigen_ray import pipeline  # noqa: F401 - it tells Ray about its environment first
from apigen_ray.config import load_config
from apigen_ray.errors import BadInput
from apigen_ray.stages.execute.dispatch import ExecuteSettings
from apigen_ray.stages.execute.rest import RestSettings
from apigen_ray.stages.execute.sandbox import SandboxSettings
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.manifest import identity_of
from apigen_ray.workflows.prepare import check_reach, prepare_executor, verifier_settings

QUICKSTART = Path("configs/quickstart.yaml")


@pytest.fixture
def console():
    return Console(file=StringIO(), width=1000)


@pytest.fixture
def keyed(tmp_path):
    """A library of one REST tool that needs a key."""
    key = {"in": "header", "name": "X-Key", "env": "KEY_THAT_NOBODY_SET"}
    backend = {"kind": "rest", "method": "GET", "url": "http://a.example.com/", "auth_env": key}
    tool = {"name": "a", "description": "a", "parameters": {"type": "object", "properties": {}}}
    path = tmp_path / "tools.jsonl"
    path.write_text(json.dumps(tool | {"backend": backend}))
    return load_library([str(path)])


def prepared(library, console, sandbox=None, **rest):
    return prepare_executor(
        library,
        console,
        execute=ExecuteSettings(),
        sandbox=SandboxSettings.model_validate(sandbox or {}),
        rest=RestSettings(**rest),
    )


def test_a_key_is_needed_where_the_host_is_called_and_not_for_a_replay(keyed, console):
    with pytest.raises(BadInput, match=r"tool a: its API key \$KEY_THAT_NOBODY_SET is not set"):
        prepared(keyed, console)
    executor, _ = prepared(keyed, console, mode="replay", cassette="never-opened-here")
    assert list(executor.rest_tools) == ["a"]


@pytest.mark.docker
def test_executors_are_handed_the_kind_and_the_image_that_were_chosen(console):
    library = load_library(["sandbox/tools"])
    executor, described = prepared(library, console, {"base_image": "host"})
    assert executor.sandbox.kind == described["kind"] == "docker"
    assert executor.sandbox.image == described["image"]


def test_what_tools_may_reach_is_of_the_identity_of_a_run_and_where_they_run_is_not():
    def sandbox(*overrides):
        config = load_config(QUICKSTART, overrides)
        return identity_of(config, (), ())["sandbox"]

    assert sandbox("sandbox.egress={hosts: [a.example.com]}") != sandbox()
    assert sandbox("sandbox.image=mine:1", "sandbox.kind=process") == sandbox()


def test_what_this_machine_serves_is_refused_where_other_nodes_ask_for_it(monkeypatch):
    settings = verifier_settings(load_config(QUICKSTART))
    monkeypatch.setattr("apigen_ray.workflows.prepare.node_count", lambda: 1)
    check_reach(settings)
    monkeypatch.setattr("apigen_ray.workflows.prepare.node_count", lambda: 2)
    with pytest.raises(BadInput, match=r"model [\w-]+: served on this machine"):
        check_reach(settings)
    check_reach({})
