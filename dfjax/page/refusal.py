"""Saying no to a request, in a sentence."""

from starlette.responses import JSONResponse, PlainTextResponse, Response

_REFUSED = -32000  # of those codes that JSON-RPC leaves to servers


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

    def response(self, *, as_json: bool, to_assistant: bool = False) -> Response:
        """Returns the answer.

        Args:
          as_json: As Gradio's clients read it, in "detail"; else as plain text.
          to_assistant: As an error of JSON-RPC, which is all that MCP's clients show.
        """
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if to_assistant:
            # Which call it is stands in its body, which may not have been read.
            error = {"code": _REFUSED, "message": str(self)}
            content = {"jsonrpc": "2.0", "id": None, "error": error}
            return JSONResponse(content, self.status, headers)
        if as_json:
            return JSONResponse({"detail": str(self)}, self.status, headers)
        return PlainTextResponse(str(self), self.status, headers)
