"""Commands as they are declared: arguments that their functions take, and a quick start."""

import inspect
import subprocess
import sys

import pytest

from apigen_ray.cli import COMMANDS, main
from apigen_ray.cli.command import Command


def declared(commands, path=()):
    for each in commands:
        if isinstance(each, Command):
            yield pytest.param(each, id=" ".join((*path, each.name)))
        else:
            yield from declared(each.commands(), (*path, each.name))


@pytest.mark.parametrize("command", list(declared(COMMANDS)))
def test_the_function_of_a_command_takes_its_arguments(command):
    names = {
        argument.settings.get("dest") or argument.flag.removeprefix("--").replace("-", "_")
        for argument in command.arguments
    }
    signature = inspect.signature(command.run)
    signature.bind(**dict.fromkeys(names))


@pytest.mark.parametrize("command", list(declared(COMMANDS)))
def test_every_command_has_help_with_an_example(command, request, capsys):
    words = request.node.callspec.id.split(" ")
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    assert f"example: apigen-ray {' '.join(words)}" in capsys.readouterr().out


def test_the_command_line_imports_nothing_heavy():
    code = "import sys, apigen_ray.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"ray", "pandas", "pyarrow", "pydantic", "rich", "yaml"} & set(done.stdout.split())
