"""The command line. Bad input ends in one line and exit code 2; `--debug` shows a traceback."""

import argparse
import gc
import sys
from collections.abc import Sequence

from apigen_ray.cli import audit, results, run, sandbox, tools
from apigen_ray.cli.command import add_commands
from apigen_ray.errors import ApigenError, BadInput

COMMANDS = (
    run.run, run.plan, results.verify, results.report, results.compare, results.export,
    audit.audit, audit.review, tools.TOOLS, sandbox.SANDBOX, sandbox.simulate,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        code = _run(words)
    except ApigenError as error:
        if "--debug" in words:
            raise
        print(f"apigen-ray: {error}", file=sys.stderr)
        code = 2 if isinstance(error, BadInput) else 1
    except KeyboardInterrupt:
        code = 1
    gc.freeze()  # else half a second is spent at the exit to look for garbage in what was imported
    sys.exit(code)


def _run(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="apigen-ray",
        description="Verified function-calling training data, on Ray.",
    )
    add_commands(parser, COMMANDS, words, metavar="COMMAND")
    arguments = vars(parser.parse_args(words))
    del arguments["debug"]
    code: int = arguments.pop("run")(**arguments)
    return code
