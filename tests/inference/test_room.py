import threading

from dfjax.inference.room import Room

PATIENCE = 20  # seconds


def _begin(room: Room, num_bytes: int) -> tuple[threading.Thread, threading.Event, threading.Event]:
    """Returns a thread that takes room, whether it has it, and what makes it give it back."""
    has_it, is_done = threading.Event(), threading.Event()

    def run() -> None:
        with room.taken(num_bytes):
            has_it.set()
            is_done.wait(PATIENCE)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, has_it, is_done


def test_what_fits_in_together_is_held_together_and_the_rest_waits():
    room = Room(100)
    first, second = _begin(room, 60), _begin(room, 40)
    assert first[1].wait(PATIENCE) and second[1].wait(PATIENCE)
    third = _begin(room, 1)
    assert not third[1].wait(0.2)
    first[2].set()
    assert third[1].wait(PATIENCE)
    for thread, _, is_done in (second, third):
        is_done.set()
        thread.join(PATIENCE)
    assert _begin(room, 100)[1].wait(PATIENCE)


def test_what_is_larger_than_the_room_gets_it_alone():
    room = Room(100)
    _, has_it, is_done = _begin(room, 1000)
    assert has_it.wait(PATIENCE)
    other = _begin(room, 1)
    assert not other[1].wait(0.2)
    is_done.set()
    assert other[1].wait(PATIENCE)
    # It gave back what it had, and no more.
    assert not _begin(room, 100)[1].wait(0.1)


def test_all_that_wait_get_the_room_that_becomes_free():
    room = Room(100)
    _, has_it, is_done = _begin(room, 100)
    assert has_it.wait(PATIENCE)
    waiting = [_begin(room, 50) for _ in range(2)]
    assert not any(each[1].wait(0.1) for each in waiting)
    is_done.set()
    # Sooner than one of them gives it back.
    assert all(each[1].wait(PATIENCE / 4) for each in waiting)


def test_an_error_gives_the_room_back():
    room = Room(100)
    try:
        with room.taken(100):
            raise KeyError
    except KeyError:
        pass
    assert _begin(room, 100)[1].wait(PATIENCE)
