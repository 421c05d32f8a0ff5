"""Bad input is one line that names the file and the key."""

import subprocess
import sys
from pathlib import Path

import pytest

from apigen_ray.cli import main
from apigen_ray.config import ActorCount, load_config
from apigen_ray.errors import BadInput

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "configs" / "quickstart.yaml"


def test_every_config_of_the_project_is_valid_and_opens_with_its_command():
    for path in QUICKSTART.parent.glob("*.yaml"):
        load_config(path)
        assert "apigen-ray" in path.read_text().splitlines()[0]


def test_overrides_reach_into_mappings_and_lists():
    config = load_config(
        QUICKSTART, ["seed=7", "sampling.examples.max=9", "models.0.profile=weak", "out=x"]
    )
    assert (config.seed, config.sampling.examples.max, config.out) == (7, 9, "x")
    assert config.models[0].profile == "weak"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sampling.tool_shown=3", r"sampling\.tool_shown: unknown key; did you mean 'tools_shown'"),
        ("seed=many", r"seed: .*integer.*'many'"),
        ("points.simpel=3", r"points\.simpel"),
        ("points={}", "no data point is requested"),
        ("sampling.examples={min: 4, max: 2}", "min 4 is larger than max 2"),
        ("models=[]", "models: .*at least 1"),
        ("models.0.kind=magic", r"models\.0: .*'openai', 'local', 'vllm', 'simulated'"),
        ("models.5.name=x", "--set models.5.name=x: no such key"),
        ("seed", "must be KEY=VALUE"),
        ("sandbox.timeout_s=-1", r"sandbox\.timeout_s: .*greater than 0"),
    ],
)
def test_wrong_keys_and_values_are_named(override, message):
    with pytest.raises(BadInput, match=message) as caught:
        load_config(QUICKSTART, [override])
    assert "\n" not in str(caught.value)


def test_all_problems_are_listed_in_one_line():
    overrides = ["models.0.concurency=1", "sandbox.timeout_s=-1", "seed=many"]
    with pytest.raises(BadInput) as caught:
        load_config(QUICKSTART, overrides)
    said = str(caught.value)
    assert all(key in said for key in ("concurency: unknown key", "timeout_s: ", "seed: "))
    assert "\n" not in said
    with pytest.raises(BadInput, match=r"\(and 2 more\)$"):
        load_config(QUICKSTART, [f"key{n}=1" for n in range(7)])


@pytest.mark.parametrize("text", ["- a list", "a: [", "\x00", ""])
def test_what_is_no_config_is_one_line(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"bad\.yaml: ") as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


def cli(*arguments):
    command = [sys.executable, "-m", "apigen_ray", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.yaml"], f"nowhere.yaml: no such file in {ROOT}"),
        (
            ["run", str(QUICKSTART), "--set", "tools=[nowhere.py]"],
            "nowhere.py: no such file or folder",
        ),
        (["run", str(QUICKSTART), "--set", "seeds=[no.jsonl]"], f"no such file in {ROOT}"),
        (["report", "nowhere"], "nowhere: not a run folder"),
        (["verify", "x.jsonl", "--tools", "t.py", "--stages", "smell", "--out", "o"], "'smell'"),
        (["simulate", "--port", "0", "--profile", "perfectly"], "perfectly"),
    ],
)
def test_the_command_line_answers_bad_input_in_one_line_with_exit_code_2(
    arguments, message, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(ROOT)
    out = ["--out", str(tmp_path / "run")] if arguments[0] == "run" else []
    with pytest.raises(SystemExit) as ended:
        main([*arguments, *out])
    assert ended.value.code == 2
    said = capfd.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_debug_shows_where_it_came_from():
    done = cli("run", "nowhere.yaml")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    done = cli("run", "nowhere.yaml", "--debug")
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("command", ["run", "plan", "verify", "report", "sandbox", "simulate"])
def test_every_command_has_help_with_an_example(command):
    done = cli(command, "--help")
    assert done.returncode == 0
    assert f"example: apigen-ray {command}" in done.stdout


def test_actors_are_a_number_or_a_span():
    short, span = ActorCount.model_validate(2), ActorCount.model_validate({"min": 1, "max": 4})
    assert (short.min, short.max, span.min, span.max) == (2, 2, 1, 4)
    with pytest.raises(ValueError, match="larger than max"):
        ActorCount.model_validate({"min": 3, "max": 2})
