"""One check of a visitor's video: given up when nobody waits for it, counted and logged."""

import logging
import time

from dfjax.errors import AbandonedError, DfjaxError
from dfjax.page.fair_queue import REQUEST_ID, current_event
from dfjax.page.health import Health
from dfjax.page.log import fields
from dfjax.page.shared_predictor import OnProgress, SharedPredictor
from dfjax.prediction import Prediction
from dfjax.video.sampling import Effort

_LOG = logging.getLogger(__name__)


def check_upload(
    scorer: SharedPredictor,
    health: Health,
    path: str,
    on_progress: OnProgress,
    *,
    effort: Effort = "standard",
) -> Prediction:
    """Scores an upload.

    Args:
      scorer: Scores it when its turn has come.
      health: Where the outcome and the times are counted.
      path: The file; that it is an upload has been checked.
      on_progress: Called with the fraction done, 0 to 1, and a few words that name the stage.
      effort: How much of a long video is looked at.

    Returns:
      The prediction.

    Raises:
      DfjaxError: The file cannot be scored; the message is for the visitor.
      AbandonedError: Whoever asked has gone.
    """
    running = current_event()
    start = time.monotonic()
    outcome, waited, request_id = "failed", None, None
    if running:
        queue, event_id = running
        if event := queue.event_ids_to_events.get(event_id):
            waited = start - event.enqueue_time
            request_id = event.request.scope.get(REQUEST_ID)

    def report(fraction: float, stage: str) -> None:
        if running and not running[0].is_wanted(running[1]):
            raise AbandonedError("Whoever asked for this check has gone.")
        on_progress(fraction, stage)

    try:
        prediction = scorer(path, report, effort=effort)
        outcome = prediction.label
        for stage in ("decode", "faces", "score"):
            health.stage(stage, getattr(prediction.seconds, stage))
        return prediction
    except AbandonedError:
        outcome = "abandoned"
        raise
    except DfjaxError:
        outcome = "refused"
        raise
    finally:
        if waited is not None:
            health.stage("wait", waited)
        health.count("dfjax_checks_total", outcome=outcome)
        _LOG.info(
            "check",
            extra=fields(
                request_id=request_id,
                outcome=outcome,
                waited=None if waited is None else round(waited, 3),
                seconds=round(time.monotonic() - start, 3),
            ),
        )
