"""What is said to programs that send a camera's frames, the page among them. It is English."""

ONE_EACH = "A camera of yours is being scored already. Stop it, or wait ten seconds."

ALL_TAKEN = (
    "As many cameras are being scored as this server can bear. Try again in a minute, or check a "
    "file instead."
)

SESSION_OVER = "The session is over. Start the camera again."

TOO_EARLY = "The frame before is still being scored. Send the next one after its answer."

NO_FRAME = "A frame has to be a JPEG picture of at most {side} pixels a side."

NO_TIME = "The time of a frame has to be in the query as t, seconds, later than the one before."

NOT_READY = "The model is being made ready. Try again in a minute."
