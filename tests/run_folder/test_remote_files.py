"""Configs, tools and seeds by URL: what stands beside a config is found there."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from upath import UPath

from apigen_ray.cli import main
from apigen_ray.config import load_config
from apigen_ray.datasets.external import open_source
from apigen_ray.errors import BadInput
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.run_folder.remote_files import local_copy
from apigen_ray.tools.library import load_library

ROOT = Path(__file__).parents[2]
CONFIG = """
out: out
points: {simple: 4}
tools: [my_functions.py]
seeds: [seeds.jsonl, someone/a-data-set-1.5]
models: [{kind: simulated}]
judge: {kind: simulated}
"""
FUNCTION = '''
def double(x: float) -> float:
    """Double a number.

    Args:
        x: The number.
    """
    return 2 * x
'''
SEED = (
    '{"query": "What is twice 4.5?", "answers": [{"name": "double", "arguments": {"x": 4.5}}], '
    '"tools": ["double"]}\n'
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def url(tmp_path):
    """A folder with a config, its tools and its seeds, on a web server."""
    folder = tmp_path / "served"
    folder.mkdir()
    for name, text in (
        ("run.yaml", CONFIG),
        ("my_functions.py", FUNCTION),
        ("seeds.jsonl", SEED),
        ("broken.yaml", "a: ["),
    ):
        (folder / name).write_text(text)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_tools_and_seeds_of_a_config_at_a_url_are_beside_it(url):
    config = load_config(f"{url}/run.yaml", ["seed=3"])
    assert config.tools == (f"{url}/my_functions.py",)
    assert config.seeds == (f"{url}/seeds.jsonl", "someone/a-data-set-1.5")
    library = load_library(config.tools)
    assert [tool.name for tool in library.tools] == ["double"]
    seeds, _ = load_seeds(config.seeds[:1], library.by_name())
    assert [seed.id for seed in seeds] == [f"{url}/seeds.jsonl:1"]


def test_a_path_given_on_the_command_line_is_the_users_own(url):
    assert load_config(f"{url}/run.yaml", ["tools=[mine.py]"]).tools == ("mine.py",)


def test_data_to_verify_may_be_a_url(url):
    assert open_source(f"{url}/seeds.jsonl").count == 1


def test_a_folder_of_a_store_is_a_package_of_tools():
    folder = UPath("memory://bucket/tools_there")
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "maths.py").write_text(FUNCTION)
    library = load_library([str(folder)])
    assert [tool.backend.module for tool in library.tools] == ["tools_there.maths"]


@pytest.mark.parametrize("name", ["nothing.yaml", "broken.yaml"])
def test_a_config_that_can_not_be_had_is_one_line(url, name, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["run", f"{url}/{name}"])
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{url}/{name}" in line


@pytest.mark.parametrize("source", ["/nothing.py", "/folder"])
def test_a_source_that_can_not_be_had_is_named(url, source):
    with pytest.raises(BadInput, match=f"{url}{source}: "):
        local_copy(url + source)


def test_a_run_whose_config_is_at_a_url_is_tried_from_there(url, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    overrides = ("sandbox.kind=process", f"seeds=[{url}/seeds.jsonl]", f"out={tmp_path / 'out'}")
    settings = [word for override in overrides for word in ("--set", override)]
    with pytest.raises(SystemExit, match="0"):
        main(["run", f"{url}/run.yaml", "--check", *settings])
    assert "tools: 1, 1 seeds" in capsys.readouterr().out
