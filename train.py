"""Trains a detector on prepared face clips: `python train.py --data DIR... --out RUN`."""

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from dfjax.config import DetectorConfig, TrainConfig
from dfjax.errors import DfjaxError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Trains projection, LSTM and heads over a frozen ImageNet encoder.

    Writes RUN/metrics.jsonl while it runs, and RUN/checkpoint at its end.
    """

    data: tuple[Path, ...]
    """Folders made by `python -m dfjax prepare`."""

    out: Path
    """A new folder for the run."""

    weights: str = "microsoft/resnet-50"
    """Folder or Hub repository with the published ResNet-50 files."""

    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = TrainConfig()

    detector: DetectorConfig = DetectorConfig()


def main() -> int:
    """Runs the command line; returns the exit code."""
    arguments = tyro.cli(Arguments, config=(tyro.conf.OmitArgPrefixes,))
    console = Console(stderr=True)
    # Late, so that --help and a mistyped option answer at once.
    from dfjax.hub.card import model_card
    from dfjax.models.pretrained import read_config
    from dfjax.training.run import run

    checkpoint = arguments.out / "checkpoint"

    try:
        with console.status("Loading the encoder…") as status:

            def on_epoch(metrics):
                status.update("Training…")
                console.print(
                    f"step {metrics.step:>5}  epoch {metrics.epoch:>4}  loss {metrics.loss:.4f}  "
                    f"validation AUC {metrics.validation_auc:.3f}  {metrics.seconds:.0f} s"
                )

            record = run(
                arguments.data,
                arguments.weights,
                arguments.out,
                train_config=arguments.train,
                detector_config=arguments.detector,
                command=shlex.join(["python", "train.py", *sys.argv[1:]]),
                on_clip=lambda count: status.update(f"Encoding clip {count}…"),
                on_epoch=on_epoch,
            )
        card = model_card(read_config(checkpoint), training=record)
        (checkpoint / "README.md").write_text(card, encoding="utf-8")
    except DfjaxError as error:
        console.print(f"Error: {error}", style="red", markup=False)
        return 1
    figures = record["validation"]
    low, high = figures["auc_interval"]
    console.print(
        f"Validation AUC {figures['auc']:.3f} (95% interval {low:.3f} to {high:.3f}, "
        f"{figures['videos']} videos); mean of frames {figures['auc_mean_of_frames']:.3f}. "
        f"Written to {checkpoint}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
