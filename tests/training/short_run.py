"""A run of a few steps, for tests of what it makes."""

from pathlib import Path

import pytest

from dfjax.head_config import HeadConfig
from dfjax.train_config import TrainConfig
from dfjax.training.opening import RunOptions
from dfjax.training.run import run
from tests.compiling import COMPILE_SOON
from tests.training.prepared_set import write_prepared


def short_run(
    folder: Path, weights: Path, train_config: TrainConfig, detector_config: HeadConfig
) -> Path:
    """Returns the folder of a run on the small prepared data set, whose step is compiled soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dfjax.training.step.compiler_options", lambda: COMPILE_SOON)
        run(
            [write_prepared(folder / "data")],
            [str(weights)],
            folder / "run",
            train_config=train_config,
            detector_config=detector_config,
            options=RunOptions(command="test", workers=1),
            on_step=lambda step, values: None,
        )
    return folder / "run"
