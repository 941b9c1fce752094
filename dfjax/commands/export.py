"""`python -m dfjax export`: writes a model for programs without dfjax."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from dfjax.commands.progress import progress_bar
from dfjax.files import require_writable


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export:
    """Write a model as ONNX or StableHLO, and check that the files compute the same as JAX.

    The detector takes face crops and gives probabilities; MTCNN's three networks, which find the
    faces, are beside it. docs/runtimes.md says what is in the files and what is not.
    """

    model: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="MODEL")]]
    """Folder or Hub repository."""

    format: Literal["onnx", "stablehlo"]
    """ONNX for ONNX Runtime, browsers and OpenVINO; StableHLO for JAX on CPUs, GPUs and TPUs."""

    out: Path
    """Folder for the files."""

    revision: str | None = None
    """Branch, tag or commit of a Hub repository."""

    def run(self) -> int:
        """Returns the exit code."""
        require_writable(self.out)
        with progress_bar() as progress:
            progress.add_task("Writing and checking the model", total=None)
            if self.format == "onnx":
                from dfjax.export.onnx_files import ONNX_FILES as names
                from dfjax.export.onnx_files import export_onnx as export
            else:
                from dfjax.export.stablehlo_files import STABLEHLO_FILES as names
                from dfjax.export.stablehlo_files import export_stablehlo as export
            differences = export(self.model, self.out, revision=self.revision)
        console = Console()
        for name in names:
            size = (self.out / name).stat().st_size
            line = f"{size:>14,}  {self.out / name}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        for runtime, difference in differences.items():
            console.print(
                f"Checked in {runtime}: probabilities differ from those in JAX by up to "
                f"{difference:.1g}.",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        return 0
