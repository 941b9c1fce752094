"""Processes that take the loopback Hub for the Hub, as huggingface_hub does once it is imported."""

import os
import subprocess
import sys
from pathlib import Path

from tests.hub.loopback_hub import WRITE_TOKEN, LoopbackHub

PROJECT = Path(__file__).resolve().parents[2]


def run_python(
    *arguments: str | Path, hub: LoopbackHub, home: Path, token: str | None = WRITE_TOKEN
) -> subprocess.CompletedProcess[str]:
    """Runs Python in the project, as a user of this Hub."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=hub_environment(hub, home, token),
        capture_output=True,
        text=True,
        timeout=240,
    )


def hub_environment(hub: LoopbackHub, home: Path, token: str | None) -> dict[str, str]:
    """Returns the environment of a process that knows no other Hub and no other cache."""
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("HF_")}
    environment |= {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    # One device is enough, and starts sooner than the eight of the other tests.
    environment.pop("XLA_FLAGS", None)
    return environment if token is None else {**environment, "HF_TOKEN": token}
