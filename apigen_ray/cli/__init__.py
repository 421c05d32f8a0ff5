"""The command line. Bad input ends in one line and exit code 2; `--debug` shows a traceback."""

import argparse
import sys
from collections.abc import Sequence

from apigen_ray.cli.results import add_compare, add_export, add_report, add_verify
from apigen_ray.cli.run import add_plan, add_run
from apigen_ray.cli.sandbox import add_sandbox, add_simulate
from apigen_ray.cli.tools import add_tools
from apigen_ray.errors import ApigenError, BadInput


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.command(arguments)
    except ApigenError as error:
        if arguments.debug:
            raise
        print(f"apigen-ray: {error}", file=sys.stderr)
        code = 2 if isinstance(error, BadInput) else 1
    except KeyboardInterrupt:
        code = 1
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="apigen-ray",
        description="Verified function-calling training data, on Ray.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_run(commands)
    add_plan(commands)
    add_verify(commands)
    add_report(commands)
    add_compare(commands)
    add_export(commands)
    add_tools(commands)
    add_sandbox(commands)
    add_simulate(commands)
    return parser
