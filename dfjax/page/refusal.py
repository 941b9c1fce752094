"""Saying no to a request, in a sentence."""

from starlette.responses import JSONResponse, PlainTextResponse, Response


class Refusal(Exception):
    """A request that is not acted on; the message is for whoever sent it."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        retry_after: int | None = None,
        *,
        quiet: bool = False,
    ):
        """Takes the answer.

        Args:
          status: Of HTTP.
          reason: One word for the log and the metrics.
          message: What was found, what was needed, what to do.
          retry_after: After how many seconds it may work, if it may.
          quiet: Not worth a line of log, since there were many of the kind.
        """
        super().__init__(message)
        self.status, self.reason = status, reason
        self.retry_after, self.quiet = retry_after, quiet

    def response(self, *, as_json: bool) -> Response:
        """Returns the answer; Gradio's clients read "detail" of JSON, and uploads plain text."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if as_json:
            return JSONResponse({"detail": str(self)}, self.status, headers)
        return PlainTextResponse(str(self), self.status, headers)
