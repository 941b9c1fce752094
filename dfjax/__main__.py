"""The command line: `python -m dfjax {predict,prepare,evaluate}`, or `--version`."""

import sys
from typing import Annotated

import tyro

from dfjax.commands.evaluate import Evaluate
from dfjax.commands.failures import exit_code, parse
from dfjax.commands.predict import Predict
from dfjax.commands.prepare import Prepare
from dfjax.version import __version__


def main() -> int:
    """Runs the command line; returns the exit code."""
    if sys.argv[1:] == ["--version"]:
        print(f"dfjax {__version__}")
        return 0
    return exit_code(lambda: parse(_read_arguments).run())


def _read_arguments() -> Predict | Prepare | Evaluate:
    return tyro.cli(
        Annotated[Predict, tyro.conf.subcommand("predict")]
        | Annotated[Prepare, tyro.conf.subcommand("prepare")]
        | Annotated[Evaluate, tyro.conf.subcommand("evaluate")],
        prog="python -m dfjax",
        description="Judge whether the faces in a video are manipulated. "
        "`python -m dfjax --version` prints the version.",
        config=(tyro.conf.DisallowNone,),
    )


if __name__ == "__main__":
    sys.exit(main())
