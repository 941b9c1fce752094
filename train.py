"""Trains a detector on prepared face clips: `python train.py --data DIR... --out RUN`."""

import dataclasses
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dfjax.commands.failures import exit_code, parse
from dfjax.errors import DfjaxError
from dfjax.extras import require_extra
from dfjax.files import write_text_atomically
from dfjax.head_config import DetectorConfig, HeadConfig, LinearHeadConfig
from dfjax.memory import keep_freed
from dfjax.train_config import PUBLISHED_ENCODERS, EncoderName, TrainConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Trains a detector: the last --trained-stages stages of the encoder, the LSTM and the heads.

    With --train norms, it trains the encoder's norms and a linear layer instead.

    Writes its settings, metrics, curves and states to RUN while it runs, and RUN/checkpoint at the
    end. To continue an interrupted run, repeat the command with --resume.
    """

    data: tuple[str, ...]
    """Data sets made by `python -m dfjax prepare`: folders, parquet files or Hub repositories."""

    out: Path
    """New folder for the run."""

    validation_data: tuple[str, ...] = ()
    """Data sets of which only the validation split is used, such as real videos from other sources,
    so that the thresholds hold for them too."""

    about_data: str = ""
    """Origin and terms of the data, in full sentences, for the model card."""

    license: str = "other"
    """Licence of the trained weights, as the Hub calls it, for the model card: what is allowed by
    the data and by the weights that the run starts from."""

    encoder: EncoderName | None = None
    """Published encoder to start from, which is taken from the Hub. resnet-50 if neither this nor
    --weights is given."""

    weights: tuple[str, ...] = ()
    """Folder or Hub repository of the starting weights: published files of an encoder (ResNet,
    CLIP, DINOv2), or a model of dfjax or GenD to continue from. If several models are given, the
    run starts from the mean of their weights."""

    new_crops: bool = False
    """Start from a model of other frames or crops than those of the data, and train it on these."""

    resume: bool = False
    """Continue the run in RUN."""

    start_share: float = 0.0
    """Weight of the starting model in the published weights, 0 to 1. The mean is often better than
    either end, on other data too."""

    save_every: int = 200
    """Steps between saves of the training state."""

    workers: int = 0
    """Threads that decode images. 0: one per core."""

    coordinator: str | None = None
    """HOST:PORT of the first process, for training with several processes. Use "auto" on a TPU pod
    or under Slurm."""

    num_processes: int | None = None
    """Number of training processes."""

    process_id: int | None = None
    """Index of this process, from 0."""

    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = TrainConfig()

    detector: DetectorConfig = DetectorConfig()

    def starting_weights(self) -> tuple[str, ...]:
        """Returns what the run starts from.

        Raises:
          DfjaxError: It is said twice.
        """
        if self.encoder is not None and self.weights:
            raise DfjaxError(
                f"--encoder is {self.encoder}, and --weights is {' '.join(self.weights)}. Leave "
                "one out: the files given with --weights say which encoder they are for."
            )
        return self.weights or (PUBLISHED_ENCODERS[self.encoder or "resnet-50"],)

    def processes(self) -> tuple[str | None, int | None, int | None] | None:
        """Returns what `jax.distributed.initialize` takes; None if this process trains alone.

        The address, the number of processes and the index of this one are None where jax detects
        them.

        Raises:
          DfjaxError: There are other processes, and nothing says how to reach them.
        """
        if self.coordinator is not None:
            address = None if self.coordinator == "auto" else self.coordinator
            if address is not None and None in (self.num_processes, self.process_id):
                raise DfjaxError(
                    f"--coordinator is {address}, so --num-processes and --process-id are needed, "
                    "too: jax detects them only with --coordinator auto."
                )
            return address, self.num_processes, self.process_id
        numbers = {"--num-processes": self.num_processes, "--process-id": self.process_id}
        if given := [f"{name} is {value}" for name, value in numbers.items() if value is not None]:
            raise DfjaxError(
                f"{' and '.join(given)}, but --coordinator is missing, so each process would train "
                "alone. Give all of them --coordinator HOST:PORT of the first one, or auto."
            )
        return None

    def head(self) -> HeadConfig:
        """Returns the shape of what follows the encoder.

        Raises:
          DfjaxError: One is given that the chosen way to train does not have.
        """
        if self.train.train == "stages":
            return self.detector
        if self.detector != DetectorConfig():
            raise DfjaxError(
                "--detector.* shapes the LSTM and its heads, in whose place --train norms has a "
                "linear layer. Leave these options out, or use --train stages."
            )
        return LinearHeadConfig()


def main() -> int:
    """Runs the command line; returns the exit code."""
    return exit_code(_run)


def _run() -> int:
    config = (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)
    arguments = parse(lambda: tyro.cli(Arguments, config=config))
    require_extra("train", "train.py")
    console = Console(stderr=True)
    try:
        return _train(arguments, console)
    except KeyboardInterrupt:
        console.print("Stopped. Run the same command again with --resume to continue.")
        return 130


def _train(arguments: Arguments, console: Console) -> int:
    """Trains and publishes; returns the exit code."""
    weights, head = arguments.starting_weights(), arguments.head()
    processes = arguments.processes()
    keep_freed()
    # A resumed run must give bit-identical results, on a GPU too. Must be set before jax is loaded.
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_gpu_deterministic_ops" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    # Imported here, so that --help and mistyped options respond at once.
    import datasets
    import jax

    from dfjax.models.pretrained import read_config
    from dfjax.reporting.card import model_card
    from dfjax.training.opening import RunOptions
    from dfjax.training.run import run

    datasets.disable_progress_bars()  # they would garble ours
    checkpoint = arguments.out / "checkpoint"
    if processes is not None:
        try:
            jax.distributed.initialize(*processes)
        except (ValueError, RuntimeError) as error:
            raise DfjaxError(
                f"The training processes cannot be brought together: {error}. Without a cluster "
                "that jax knows, give each of them --coordinator HOST:PORT of the first one, "
                "--num-processes and --process-id."
            ) from error
    is_first = jax.process_index() == 0
    with _progress(console, disable=not is_first) as progress:
        task = progress.add_task("Loading", total=arguments.train.steps)

        def on_step(step: int, values: dict[str, Any]) -> None:
            if "loss" in values:
                progress.update(
                    task,
                    completed=step,
                    description=f"loss {values['loss']:.3f}, waits {values['wait_share']:.0%}",
                )
            elif is_first:
                figures = ", ".join(
                    f"{name.removeprefix('validation_auc_')} {value:.3f}"
                    for name, value in values.items()
                    if name.startswith("validation_auc_")
                )
                console.print(
                    f"step {step:>6}  validation AUC {values['validation_auc']:.3f} ({figures})"
                )

        def on_note(note: str) -> None:
            if is_first:
                console.print(note, markup=False, soft_wrap=True)

        record = run(
            arguments.data,
            weights,
            arguments.out,
            train_config=arguments.train,
            detector_config=head,
            options=RunOptions(
                command=shlex.join(["python", "train.py", *sys.argv[1:]]),
                workers=arguments.workers,
                save_every=arguments.save_every,
                resume=arguments.resume,
                validation_data=arguments.validation_data,
                about_data=arguments.about_data,
                license=arguments.license,
                start_share=arguments.start_share,
                new_crops=arguments.new_crops,
            ),
            on_step=on_step,
            on_note=on_note,
        )
    if not is_first:
        return 0
    card = model_card(read_config(checkpoint), training=record)
    write_text_atomically(checkpoint / "README.md", card)
    console.print(f"Written to {checkpoint}.", markup=False, soft_wrap=True)
    return 0


def _progress(console: Console, *, disable: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=disable,
    )


if __name__ == "__main__":
    sys.exit(main())
