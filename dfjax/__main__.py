"""The command line: `python -m dfjax COMMAND`, with the commands of `dfjax.commands`."""

import sys
from typing import Annotated

from dfjax.commands.failures import exit_code, parse
from dfjax.version import __version__


def main() -> int:
    """Runs the command line; returns the exit code."""
    if sys.argv[1:] == ["--version"]:
        print(f"dfjax {__version__}")
        return 0
    return exit_code(_run)


def _run() -> int:
    # Imported here, where Ctrl-C is answered with a word: it takes most of a second.
    import tyro

    from dfjax.commands.calibrate import Calibrate
    from dfjax.commands.evaluate import Evaluate
    from dfjax.commands.export import Export
    from dfjax.commands.predict import Predict
    from dfjax.commands.prepare import Prepare
    from dfjax.commands.scan import Scan

    def read_arguments() -> Predict | Scan | Prepare | Evaluate | Calibrate | Export:
        return tyro.cli(
            Annotated[Predict, tyro.conf.subcommand("predict")]
            | Annotated[Scan, tyro.conf.subcommand("scan")]
            | Annotated[Prepare, tyro.conf.subcommand("prepare")]
            | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
            | Annotated[Calibrate, tyro.conf.subcommand("calibrate")]
            | Annotated[Export, tyro.conf.subcommand("export")],
            prog="python -m dfjax",
            description="Judge whether the faces in a video are manipulated. "
            "`python -m dfjax --version` prints the version.",
            config=(tyro.conf.DisallowNone,),
        )

    return parse(read_arguments).run()


if __name__ == "__main__":
    sys.exit(main())
