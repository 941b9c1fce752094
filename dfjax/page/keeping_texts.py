"""The words of what a visitor keeps of a result, and of where a file says it is from."""

from dfjax.reporting import video_words

KEEP = "Keep this result"
KEEP_INFO = (
    "The report opens in any browser and prints. It names the file by its SHA-256, the model and "
    "the time, so that others can tell what was checked."
)
REPORT, DATA, FRAMES = "Report (HTML)", "Data (JSON)", "Frames (CSV)"
MODEL = "Model"

PROVENANCE, PROVENANCE_INFO = video_words.PROVENANCE, video_words.PROVENANCE_INFO
