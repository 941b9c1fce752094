"""The command line: `python -m dfjax {predict,prepare,evaluate}`."""

import sys
from typing import Annotated

import tyro
from rich.console import Console

from dfjax.commands.evaluate import Evaluate
from dfjax.commands.predict import Predict
from dfjax.commands.prepare import Prepare
from dfjax.errors import DfjaxError


def main() -> int:
    """Runs the command line; returns the exit code."""
    command = tyro.cli(
        Annotated[Predict, tyro.conf.subcommand("predict")]
        | Annotated[Prepare, tyro.conf.subcommand("prepare")]
        | Annotated[Evaluate, tyro.conf.subcommand("evaluate")],
        prog="python -m dfjax",
        description="Judge whether the faces in a video are manipulated.",
    )
    try:
        return command.run()
    except DfjaxError as error:
        Console(stderr=True).print(f"Error: {error}", style="red", markup=False)
        return 1


if __name__ == "__main__":
    sys.exit(main())
