import threading

import pytest

from dfjax.video.newest import NewestFrames


def test_frames_that_come_while_one_is_used_are_dropped_and_counted():
    taken, all_read = threading.Event(), threading.Event()

    def camera():
        yield 0
        assert taken.wait(10)
        yield from range(1, 6)
        all_read.set()

    frames = NewestFrames(camera(), clock=iter(range(100)).__next__)
    seen = []
    for time, frame in frames:
        seen.append((time, frame))
        taken.set()
        assert all_read.wait(10)
    assert seen == [(0, 0), (5, 5)]
    assert frames.num_dropped == 4


def test_no_frame_is_lost_to_who_is_fast_enough():
    used = threading.Semaphore(1)

    def camera():
        for n in range(5):
            assert used.acquire(timeout=10)
            yield n

    frames = NewestFrames(camera())
    seen = []
    for _, frame in frames:
        seen.append(frame)
        used.release()
    assert seen == [0, 1, 2, 3, 4] and frames.num_dropped == 0


def test_what_a_camera_raises_is_raised():
    def camera():
        yield 0
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        list(NewestFrames(camera()))


def test_the_source_is_closed_once_nobody_wants_its_frames():
    is_closed = threading.Event()

    def camera():
        try:
            while True:
                yield 0
        finally:
            is_closed.set()

    for _ in NewestFrames(camera()):
        break
    assert is_closed.wait(10)
