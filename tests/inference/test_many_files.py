import dataclasses
import threading
import time
from pathlib import Path

import pytest

from dfjax.errors import DamagedVideoError
from dfjax.inference.many_files import score_each

PATHS = [Path("a.mp4"), Path("b.mp4"), Path("c.mp4")]
PATIENCE = 20  # seconds


@dataclasses.dataclass(frozen=True)
class Opened:
    path: Path
    is_read: bool = True


def _ignore(place: int, fraction: float, stage: str) -> None:
    del place, fraction, stage


def test_the_next_two_files_are_opened_while_one_is_finished():
    is_open = {path: threading.Event() for path in PATHS}

    def open_file(path, report):
        is_open[path].set()
        return Opened(path)

    def finish(opened, report):
        following = PATHS[PATHS.index(opened.path) + 1 :]
        return all(is_open[path].wait(PATIENCE) for path in following)

    assert list(score_each(PATHS, open_file, finish, _ignore)) == [True, True, True]


def test_no_more_than_two_files_are_opened_at_once_or_held_for_later():
    together = threading.Barrier(2)
    at_work = threading.Semaphore(2)
    paths = [Path(f"{n}.mp4") for n in range(6)]
    begun = []

    def open_file(path, report):
        begun.append(path)
        assert at_work.acquire(blocking=False)
        together.wait(PATIENCE)
        at_work.release()
        return Opened(path)

    def finish(opened, report):
        time.sleep(0.01)  # in which others could begin
        assert len(begun) <= paths.index(opened.path) + 3
        return opened.path

    assert list(score_each(paths, open_file, finish, _ignore)) == paths


def test_nothing_else_runs_beside_a_file_that_is_read_while_it_is_finished():
    is_finishing = threading.Event()
    are_late = []

    def open_file(path, report):
        are_late.append(is_finishing.wait(0.05))  # else it would be over before another is finished
        return Opened(path, is_read=False)

    def finish(opened, report):
        is_finishing.set()
        time.sleep(0.02)
        is_finishing.clear()
        return opened.path

    assert list(score_each(PATHS, open_file, finish, _ignore)) == PATHS
    assert are_late == [False] * len(PATHS)


@pytest.mark.parametrize("is_found_late", [False, True])
def test_a_file_that_cannot_be_read_has_its_error_in_its_place(is_found_late):
    def fail(path):
        if path == PATHS[1]:
            raise DamagedVideoError("b.mp4 is damaged.")

    def open_file(path, report):
        if not is_found_late:
            fail(path)
        return Opened(path)

    def finish(opened, report):
        fail(opened.path)
        return opened.path

    first, second, third = score_each(PATHS, open_file, finish, _ignore)
    assert (first, third) == (PATHS[0], PATHS[2])
    assert isinstance(second, DamagedVideoError)


def test_progress_is_that_of_the_file_whose_turn_it_is():
    moves = []
    is_open = threading.Event()

    def open_file(path, report):
        report(0.1, "reading")
        if path == PATHS[1]:
            is_open.set()
        return Opened(path)

    def finish(opened, report):
        assert is_open.wait(PATIENCE)
        report(0.9, "scoring")

    def follow(place, fraction, stage):
        moves.append((place, stage))

    list(score_each(PATHS[:2], open_file, finish, follow))
    # The second was read during the first one's turn.
    assert moves == [(0, "reading"), (0, "scoring"), (1, "scoring")]


def test_who_stops_listening_waits_for_no_more_than_the_next_report():
    begun, ended = threading.Event(), threading.Event()

    def open_file(path, report):
        if path == PATHS[1]:
            begun.set()
            try:
                while True:
                    report(0.5, "reading")
            finally:
                ended.set()
        return Opened(path)

    def finish(opened, report):
        assert begun.wait(PATIENCE)

    results = score_each(PATHS, open_file, finish, _ignore)
    next(results)
    results.close()
    assert ended.is_set()


def test_an_error_of_ours_is_raised_and_not_taken_for_a_bad_file():
    def open_file(path, report):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        next(score_each(PATHS, open_file, lambda opened, report: None, _ignore))
