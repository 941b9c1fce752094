"""How the app starts where it cannot, and how it ends while visitors wait."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from tests.answering import free_port
from tests.e2e.conftest import app_command, app_environment

PROJECT = Path(__file__).resolve().parents[2]
META = {"_type": "gradio.FileData"}


def test_a_port_that_is_taken_is_one_sentence_and_exit_code_1(checkpoint, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            app_command("--model", checkpoint, "--port", str(port)),
            env=app_environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"port {port}" in line and "--port" in line
    assert list(tmp_path.iterdir()) == []


def test_quotas_that_no_file_fits_into_are_one_sentence(tmp_path):
    done = subprocess.run(
        app_command("--max-client-megabytes", "1"),
        env=app_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "--max-upload-megabytes" in line


def test_a_signal_that_reaches_another_thread_ends_the_app_too(tmp_path):
    script = """
import signal, threading
from app import wait_for_signal

signal.signal(signal.SIGTERM, signal.default_int_handler)
tell = lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Timer(0.2, tell).start()
try:
    wait_for_signal()
except KeyboardInterrupt:
    print("ended")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "ended\n", done.stderr


def test_a_stopped_app_leaves_no_file_and_no_visitor_without_an_answer(checkpoint, clips, tmp_path):
    port = free_port()
    temporary, log = tmp_path / "temporary", tmp_path / "log.txt"
    temporary.mkdir()
    command = app_command("--model", checkpoint, "--port", str(port), "--max-client-checks", "9")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**app_environment(temporary), "PYTHONFAULTHANDLER": "1"},
            stdout=output,
            stderr=output,
        )
    api, answers = f"http://127.0.0.1:{port}/gradio_api", []
    try:
        _wait_for(f"http://127.0.0.1:{port}/readyz", process)
        threads = [
            threading.Thread(target=_ask, args=(api, clips / "two.mp4", answers)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        _wait_for_answers(answers, 1)
        process.send_signal(signal.SIGTERM)
        assert _ends(process), log.read_text()
        for thread in threads:
            thread.join(60)
    finally:
        process.kill()
        process.wait()
    assert os.listdir(temporary) == []
    assert len(answers) == 8
    for answer in answers:
        assert "event: complete" in answer or "being restarted" in answer, answer
    assert "Traceback" not in log.read_text()


def _ends(process: subprocess.Popen[bytes]) -> bool:
    """Returns whether an app that was told to stop ends well; if not, it says what it is doing."""
    try:
        return process.wait(timeout=60) == 0
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        process.wait(timeout=20)
        return False


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None
        try:
            if httpx.get(url, timeout=10).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError("the app does not get ready")


def _wait_for_answers(answers: list[str], count: int) -> None:
    deadline = time.monotonic() + 120
    while len(answers) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _ask(api: str, video: Path, answers: list[str]) -> None:
    """Appends what a visitor gets, be it a stream of events or a refusal."""
    with httpx.Client(timeout=120) as client, video.open("rb") as file:
        try:
            answer = client.post(f"{api}/upload", files={"files": file})
            if answer.is_success:
                data = {"data": [{"path": answer.json()[0], "meta": META}]}
                answer = client.post(f"{api}/call/predict", json=data)
            if answer.is_success:
                answer = client.get(f"{api}/call/predict/{answer.json()['event_id']}")
            answers.append(answer.text)
        except httpx.ConnectError:
            answers.append("being restarted: nobody listens")
