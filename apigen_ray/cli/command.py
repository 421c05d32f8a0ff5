"""How commands are declared: a function with its arguments, alone or in a group.

argparse, because its import takes a tenth of what typer's or cyclopts' takes.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


class Argument:
    """An argument or option, with the settings that argparse takes."""

    def __init__(self, flag: str, description: str, **settings: Any) -> None:
        self.flag = flag
        self.settings = {"help": description, **settings}


@dataclass(frozen=True, slots=True)
class Command:
    """A command: `run` takes its arguments by name, and returns the exit code."""

    name: str
    summary: str
    example: str
    arguments: Sequence[Argument]
    run: Callable[..., int]


@dataclass(frozen=True, slots=True)
class Group:
    """Commands under one name."""

    name: str
    summary: str
    example: str
    commands: Callable[[], Iterable["Command | Group"]]
    """Called only when the group is used: what its commands import does not slow down others."""


def command(
    name: str, summary: str, example: str, *arguments: Argument
) -> Callable[[Callable[..., int]], Command]:
    """Declare the function below as a command."""
    return lambda run: Command(name, summary, example, arguments, run)


def add_commands(
    parser: argparse.ArgumentParser,
    commands: Iterable[Command | Group],
    words: Sequence[str],
    metavar: str | None = None,
) -> None:
    """Add commands to a parser, and those of a group if its name is among the words given."""
    commands = list(commands)
    names = metavar or "|".join(command.name for command in commands)
    subparsers = parser.add_subparsers(required=True, metavar=names)
    for each in commands:
        added = subparsers.add_parser(
            each.name,
            help=each.summary,
            description=each.summary,
            epilog=f"example: {each.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.add_argument("--debug", action="store_true", help="show tracebacks")
        if isinstance(each, Command):
            for argument in each.arguments:
                added.add_argument(argument.flag, **argument.settings)
            added.set_defaults(run=each.run)
        elif each.name in words:
            add_commands(added, each.commands(), words)


def make_console() -> "Console":
    """A console for texts that may contain brackets: they are not markup."""
    from rich.console import Console

    return Console(markup=False, highlight=False)
