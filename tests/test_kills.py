"""A run that is killed at random moments ends with the same bytes: a short benchmark."""

from pathlib import Path

import pytest

from benchmarks.kills import JOBS, kill_often, training


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.timeout(900)  # several runs, one after the other
@pytest.mark.parametrize("name", ["training", "scan"])  # `prepare` is killed where it is tested
def test_a_kill_changes_no_byte_and_leaves_no_process(name, tmp_path):
    job = training(tmp_path, steps=6) if name == "training" else JOBS[name](tmp_path)
    tally = kill_often(job, kills=1, seed=1, whole_runs=1)
    assert tally.is_clean, tally
    assert tally.while_writing == tally.results == 1
