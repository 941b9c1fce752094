"""The words around the player, the timeline and the faces. Names in braces are filled in."""

from dfjax.faces.voting import LeftOut

FRAME_SCALE = (
    "A single frame cannot carry a verdict: frames have a scale of their own, from 0 to 100, and "
    "the verdict weighs all of them together. The percentage beside a face or a stretch is on the "
    "scale of the verdict."
)

HOW_TO_READ = (
    "Taller, stronger bars show more signs of manipulation. Choose a place to see it above."
)

STILL_HOW_TO_READ = "A taller, stronger bar shows more signs of manipulation."

FACE = "Face {number}"
STRETCH = "{face} looks manipulated from {start} to {end} ({percent})"
VALUE_AT = "{face} at {time}: {value} of 100"
RANGE = "{count} frames from {start} to {end}; values from {low} to {high} of 100"
GO_TO = "Go to {time}"
CROP = "{face} at {time}: {value} of 100. Go there"

LEFT_OUT: dict[LeftOut, str] = {
    "short": "Seen in hardly any frame, so it has no say in the verdict.",
    "small": "Too small to be judged well, so it has no say in the verdict.",
}

PLAYER = "The video, with the faces that were judged"
PICTURE = "The picture, with the faces that were judged"
LANE = "{face}, frame by frame"

CANNOT_PLAY = "This browser cannot play the file. It can be checked all the same."
FRAMES_INSTEAD = "This browser cannot play the file. These are frames of it that were looked at."
CHOSEN_VIDEO, CHOSEN_PICTURE = "The chosen video", "The chosen picture"

CHECKING = "Checking {name}."
CANCELLED = "The check was cancelled. Nothing was decided."
