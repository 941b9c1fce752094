"""The queue of the checks: so many places for each client, and none for who does not listen."""

import collections
import contextlib
import time
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from gradio.context import LocalContext
from gradio.queueing import Event, Queue
from gradio.server_messages import ProcessCompletedMessage
from gradio_client.utils import is_file_obj, traverse

from dfjax.page.limits import PageLimits
from dfjax.page.upload_folder import OWN_FILE

CHECKS = "score"
"""The concurrency_id of the events that are checks; they share one place to run in."""

CLIENT, REQUEST_ID = "dfjax.client", "dfjax.request_id"
"""Under which keys of its scope a request says whose it is, and which."""

_LOOK_EVERY = 0.01  # seconds from one look for events to the next

_NO_MORE_PLACES = (
    "The queue is full for you: {own} of your checks wait already. Let one of them end first."
)

_FULL = "The queue is full: {found} checks wait already. Try again in a minute."

_NO_FUNCTION = (
    "There is no function {found!r} here. The API has POST /gradio_api/call/predict, and "
    "/predict_batch for several files."
)


class FairQueue(Queue):
    """Gradio's queue, first come first served, with three rules more.

    A client has a few places, so that it cannot take all of them; an event of several checks has
    one, and lines up with them one after the other. A check starts only while its
    client listens for the answer; others step aside, and leave after a while. A check whose client
    goes away in the middle of it is given up: `is_wanted` says so.
    """

    def __init__(self, *args: Any, limits: PageLimits, **kwargs: Any):
        """Takes Gradio's own arguments, and the limits."""
        super().__init__(*args, **kwargs)
        # Parts must find a place, or the events that wait for them would fill the queue for good.
        self.max_waiting, self.max_size = self.max_size, None
        self.ANALYTICS_MAX_EVENTS = 1
        # Gradio looks a thousand times a second, which costs processor time while nobody is there.
        self.sleep_when_free = _LOOK_EVERY
        self._limits = limits
        self._listening: collections.Counter[str] = collections.Counter()  # streams by session
        self._unwanted: set[str] = set()  # checks of assistants that have gone
        self._parts: set[str] = set()  # sessions of checks that are parts of other events

    async def push(self, body: Any, request: Any, username: str | None) -> Any:
        """Takes a place for an event, or says why there is none; see `Queue.push`."""
        function = self.blocks.fns.get(body.fn_index)
        if function is None or function.fn is None:
            return False, _NO_FUNCTION.format(found=body.fn_index), "error"
        if body.session_hash not in self._parts:
            own, waiting = self.places_of(request.scope.get(CLIENT)), len(self)
            if own >= self._limits.max_client_checks:
                return False, _NO_MORE_PLACES.format(own=own), "queue_full"
            if self.max_waiting is not None and waiting >= self.max_waiting:
                return False, _FULL.format(found=waiting), "queue_full"
        return await super().push(body, request, username)

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """Returns what is to run next: the first event that somebody listens to."""
        queues = list(self.event_queue_per_concurrency_id.values())
        everyone = [queue.queue for queue in queues]
        for queue, events in zip(queues, everyone, strict=True):
            queue.queue = [event for event in events if self._is_heard(event)]
        taken: list[Event] = []
        try:
            found = super().get_events()
            taken = found[0] if found else []
            return found
        finally:
            for queue, events in zip(queues, everyone, strict=True):
                queue.queue = [event for event in events if event not in taken]

    def compute_analytics_summary(self, records: Any) -> dict[str, Any]:
        """Returns nothing. Gradio sums up all events, after each, for its closed monitor."""
        del records
        return self.cached_event_analytics_summary

    def places_of(self, client: str | None) -> int:
        """Returns how many events of a client wait or run, without those that are parts of one."""
        return sum(
            event.request.scope.get(CLIENT) == client and event.session_hash not in self._parts
            for event in self._events()
        )

    def counts(self) -> tuple[int, int]:
        """Returns how many events wait, and how many run."""
        running = sum(len(job) for job in self.active_jobs if job)
        return len(self), running

    def num_checks(self) -> tuple[int, int]:
        """Returns how many checks wait, and how many run; a call for several files is none."""
        waiting = self.event_queue_per_concurrency_id.get(CHECKS)
        running = [event for job in self.active_jobs for event in job or ()]
        return (
            len(waiting.queue) if waiting else 0,
            sum(event.concurrency_id == CHECKS for event in running),
        )

    @contextlib.contextmanager
    def listening(self, session_or_event: str) -> Iterator[None]:
        """Counts a stream as open while the context lasts.

        Args:
          session_or_event: What it listens to: a session, or an event by its id.
        """
        event = self.event_ids_to_events.get(session_or_event)
        session = event.session_hash if event else session_or_event
        self._listening[session] += 1
        try:
            yield
        finally:
            self._listening[session] -= 1
            if self._listening[session] <= 0:
                del self._listening[session]
                self._forget(session)

    @contextlib.contextmanager
    def part_of(self, event_id: str) -> Iterator[str]:
        """Opens a session for the checks of an event, one at a time, while the context lasts.

        Args:
          event_id: The event. It runs, and listens to its checks in its client's place.

        Yields:
          The session.
        """
        session = f"{event_id}-{uuid.uuid4().hex}"
        self._parts.add(session)
        try:
            with self.listening(session):
                yield session
        finally:
            self._parts.discard(session)

    async def drop_unheard(self) -> int:
        """Removes events that nobody has listened to for too long; returns how many.

        What Gradio still keeps of sessions that are over goes as well.
        """
        now = time.monotonic()
        unheard = [
            event
            for queue in self.event_queue_per_concurrency_id.values()
            for event in queue.queue
            if now - event.enqueue_time > self._limits.unheard_seconds and not self._is_heard(event)
        ]
        for event in unheard:
            await self.clean_events(event_id=event._id)
        for session in list(self.pending_event_ids_session):
            if session not in self._listening:
                self._forget(session)
        return len(unheard)

    def give_up(self, request_id: str) -> None:
        """Notes that whoever sent a request has gone.

        Only for assistants: Gradio itself listens in their place, and has to get an answer.
        """
        for event in self._events():
            if event.request.scope.get(REQUEST_ID) == request_id:
                self._unwanted.add(event._id)

    def is_wanted(self, event_id: str) -> bool:
        """Returns whether anybody still waits for what an event computes.

        Gradio forgets an event that is cancelled, and leaves its function running.
        """
        event = self.event_ids_to_events.get(event_id)
        return event is not None and event.alive and event_id not in self._unwanted

    def files_in_use(self) -> set[str]:
        """Returns the paths of the files that events are about."""
        paths: set[str] = set()

        def note(file: dict[str, Any]) -> dict[str, Any]:
            _, is_address, path = file["path"].partition(OWN_FILE)
            paths.add(unquote(path) if is_address else file["path"])
            return file

        for event in self._events():
            # What a stranger sent may be nested deeper than Python can follow.
            with contextlib.suppress(RecursionError):
                traverse(event.data.data if event.data else [], note, is_file_obj)
        return paths

    def refuse_waiting(self, message: str) -> None:
        """Gives every event that waits an error as its answer, since the server ends."""
        for queue in self.event_queue_per_concurrency_id.values():
            for event in list(queue.queue):
                queue.queue.remove(event)
                self.answer_with_error(event, message)

    def refuse_running(self, message: str) -> None:
        """Gives every event that runs an error as its answer, since the server ends."""
        for job in self.active_jobs:
            for event in job or ():
                self.answer_with_error(event, message)
                self._unwanted.add(event._id)

    def answer_with_error(self, event: Event, message: str) -> None:
        """Ends an event, for its client, with a sentence."""
        output = {"error": message, "title": "Error", "visible": True, "duration": 10}
        self.send_message(
            event, ProcessCompletedMessage(output=output, success=False, title="Error")
        )

    def _events(self) -> list[Event]:
        events = list(self.event_ids_to_events.values())
        known = {event._id for event in events}
        self._unwanted &= known
        return events

    def _is_heard(self, event: Event) -> bool:
        return self._listening.get(event.session_hash, 0) > 0

    def _forget(self, session: str) -> None:
        """Drops the messages of a session to which nothing more will come."""
        if not any(event.session_hash == session for event in self._events()):
            self.pending_messages_per_session.pop(session, None)
            self.pending_event_ids_session.pop(session, None)


def current_event() -> tuple[FairQueue, str] | None:
    """Returns the queue and the id of the event whose function is running; None outside of one."""
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    queue = getattr(blocks, "_queue", None)
    if event_id is None or not isinstance(queue, FairQueue):
        return None
    return queue, event_id
