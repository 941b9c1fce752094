"""Errors that a user can act on are a sentence and an exit code; faults of ours stay tracebacks."""

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from dfjax.commands.failures import exit_code, parse
from dfjax.errors import DatasetError, DfjaxError


def _raises(error: BaseException) -> Callable[[], int]:
    def run() -> int:
        raise error

    return run


def test_the_code_of_a_command_that_ran_is_its_own():
    assert [exit_code(lambda: 0), exit_code(lambda: 130)] == [0, 130]


@pytest.mark.parametrize(
    "error, words",
    [
        (DatasetError("[red]no[/] videos"), "Error: [red]no[/] videos"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a/b"), "No space left on device: a/b"),
        (PermissionError(errno.EACCES, "Permission denied", "out"), "Permission denied: out"),
    ],
)
def test_what_a_user_can_act_on_is_a_sentence(capsys, error, words):
    assert exit_code(_raises(error)) == 1
    assert words in " ".join(capsys.readouterr().err.split())


def test_ctrl_c_is_a_word_and_its_code(capsys):
    assert exit_code(_raises(KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ("", "Stopped.\n")


@pytest.mark.parametrize("error", [KeyError("a"), FileNotFoundError(errno.ENOENT, "gone", "a")])
def test_a_fault_of_the_program_stays_a_traceback(error):
    with pytest.raises(type(error)):
        exit_code(_raises(error))


def test_a_sentence_is_one_line_so_that_a_path_in_it_can_be_copied(capsys):
    path = "/data/" + 60 * "long/" + "clip.mp4"
    exit_code(_raises(DfjaxError(f"{path} may not be written to. Choose another place.")))
    assert (
        capsys.readouterr().err == f"Error: {path} may not be written to. Choose another place.\n"
    )


def test_what_the_locale_has_no_bytes_for_is_replaced_and_ends_nothing(monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert exit_code(lambda: print("\N{EM DASH} caf\u00e9 \udcff", flush=True) or 0) == 0
    assert stdout.buffer.getvalue() == b"? caf\xe9 ?\n"  # pyright: ignore[reportAttributeAccessIssue]


_PREDICTS = """
import sys
from dfjax.commands.failures import exit_code
from dfjax.commands.prediction_file import PredictionFile

def run():
    with PredictionFile(sys.argv[1], as_list=True) as output:
        for number in range(1_000_000):
            output.add({"number": number})
    return 0

sys.exit(exit_code(run))
"""


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_who_reads_the_first_line_only_ends_the_command_without_a_word(name):
    command = [sys.executable, "-c", _PREDICTS, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"[\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


def test_a_value_that_a_config_refuses_is_fit_to_be_shown():
    with pytest.raises(DfjaxError, match="steps is 0"):
        parse(_raises(ValueError("TrainConfig.steps is 0; it must be at least 1.")))
