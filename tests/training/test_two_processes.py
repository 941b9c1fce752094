"""A run on two hosts, here two processes: what a second one changes, which is nothing."""

import numpy as np

from dfjax.models.pretrained import read_tensors
from dfjax.training.metrics_log import read_metrics
from tests.answering import free_port
from tests.training.train_command import STEPS, finish_run, start_run, write_data


def test_two_processes_on_loopback_equal_one_with_two_devices(tmp_path):
    data = write_data(tmp_path / "data")
    # What is drawn is proven elsewhere, and slow to compile.
    plain = ("--augmented=0", "--self-blended=0")
    finish_run(start_run(data, tmp_path / "one", *plain, validate_every=STEPS, devices=2))
    coordinator = f"127.0.0.1:{free_port()}"
    together = ["--coordinator", coordinator, "--num-processes", "2", "--process-id"]
    processes = [
        start_run(data, tmp_path / "two", *plain, *together, str(number), validate_every=STEPS)
        for number in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=240)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], outputs
    one, two = (read_metrics(tmp_path / name) for name in ("one", "two"))
    for name in ("loss", "grad_norm", "validation_auc"):
        found, expected = ([row[name] for row in rows if name in row] for rows in (two, one))
        np.testing.assert_allclose(found, expected, rtol=1e-3, err_msg=name)
    found, expected = (read_tensors(tmp_path / name / "checkpoint") for name in ("two", "one"))
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor, rtol=1e-3, atol=1e-3, err_msg=name)
