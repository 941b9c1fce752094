"""Every exception class of dfjax. Their messages are sentences that a visitor can act on."""


class DfjaxError(Exception):
    """Base of all errors that dfjax raises on purpose; its message is fit to be shown.

    Example:
      >>> from dfjax import Predictor
      >>> from dfjax.errors import DfjaxError
      >>> predictor = Predictor.from_pretrained("checkpoint")
      >>> try:
      ...     predictor("holiday.mp4")
      ... except DfjaxError as error:
      ...     print(error)
      There is no file named 'holiday.mp4'. Check its path.
    """


class VideoError(DfjaxError):
    """A file that cannot be used as a video."""


class UnsupportedFormatError(VideoError):
    """The file is not one of the containers that dfjax opens."""


class NoVideoStreamError(VideoError):
    """The file is a known container, but holds no picture."""


class DamagedVideoError(VideoError):
    """The file claims to be a video, but no frame of it can be decoded."""


class VideoLimitError(VideoError):
    """The video is larger, longer or slower to decode than the configured limits."""


class VideoTimeError(VideoLimitError):
    """Reading the video took longer than the configured limit, perhaps on a busy machine."""


class ModelFormatError(DfjaxError):
    """A folder or repository does not hold a model that this version of dfjax can load."""


class DatasetError(DfjaxError):
    """A data set's folder, rows or labels are not what was asked for."""


class TrainingError(DfjaxError):
    """Training cannot start or continue."""


class MissingExtraError(DfjaxError):
    """A package that only a part of dfjax needs is not installed."""


class RuntimeChoiceError(DfjaxError):
    """The runtime that was asked for is unknown."""


class ExportError(DfjaxError):
    """An exported file does not compute what the model does."""


class HubError(DfjaxError):
    """The Hugging Face Hub refused a request, or what would be sent is not complete."""


class AbandonedError(DfjaxError):
    """Nobody waits any more for what was being computed."""


class ServerError(DfjaxError):
    """The page cannot be served at the address that was asked for."""
