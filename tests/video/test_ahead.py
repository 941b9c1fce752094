import threading

import pytest

from dfjax.video.ahead import read_ahead


def test_it_yields_the_same_in_the_same_order():
    assert list(read_ahead((n for n in range(50)), 3)) == list(range(50))


def test_it_runs_ahead_while_nobody_asks_but_not_further_than_allowed():
    made: list[int] = []
    is_full = threading.Event()

    def numbers():
        for n in range(100):
            made.append(n)
            if n == 4:
                is_full.set()
            yield n

    ahead = read_ahead(numbers(), 4)
    assert next(ahead) == 0
    assert is_full.wait(10)
    ahead.close()
    assert made == list(range(5))  # one that was taken, and four ahead


def test_an_error_comes_after_what_was_read_before_it():
    def two_then_an_error():
        yield 1
        yield 2
        raise ValueError("the third is damaged")

    seen = []
    with pytest.raises(ValueError, match="third"):
        for item in read_ahead(two_then_an_error(), 8):
            seen.append(item)
    assert seen == [1, 2]


def test_closing_it_closes_what_it_reads_and_ends_the_thread():
    closed_by = []

    def numbers():
        try:
            while True:
                yield 0
        finally:
            closed_by.append(threading.current_thread().name)

    before = threading.active_count()
    ahead = read_ahead(numbers(), 2)
    next(ahead)
    ahead.close()
    assert closed_by == ["read ahead"] and threading.active_count() == before
