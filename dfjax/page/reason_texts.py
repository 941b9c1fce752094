"""The words with which the page explains an answer. Names in braces are filled in by `reasons`."""

WHY, WHY_UNCERTAIN = "Why this answer", "Why it is uncertain"
WHY_NONE = "Why none may have been found"
WHAT_NEXT = "What to do next"

# Which face. `where` is one of the places below, if there are several faces.
FACE = "Face {number}"
FACE_AT = "Face {number} ({where})"
LEFT, MIDDLE, RIGHT = "on the left", "in the middle", "on the right"

# Which stretch.
STRETCH = "{face} looks manipulated from {start} to {end} ({percent})."
THROUGHOUT = "{face} looks manipulated wherever it was looked at, from {start} to {end}."
IN_PICTURE = "{face} looks manipulated."
MORE_STRETCHES = "{count} more stretches are marked on the timeline."
NO_STRETCH = "No face looks manipulated, neither as a whole nor in any stretch."
STRETCH_BUT_REAL = (
    "One stretch stands out, {face} from {start} to {end} ({percent}), but with everything else "
    "that was seen it does not carry a verdict."
)
MOST_SUSPICIOUS_PART = "The most suspicious part is {face} from {start} to {end} ({percent})."
MOST_SUSPICIOUS = "The most suspicious face is {face}, at {percent}."

# How sure.
CLEARLY_FAKE = "At {percent}, this lies well above {threshold}, where “likely fake” begins."
NARROWLY_FAKE = (
    "At {percent}, this lies just above {threshold}, where “likely fake” begins: a narrow answer."
)
CLEARLY_REAL = "At {percent}, this lies well below {threshold}, where “likely real” ends."
NARROWLY_REAL = (
    "At {percent}, this lies just below {threshold}, where “likely real” ends: a narrow answer."
)
LEANS_FAKE = (
    "At {percent}, it leans towards fake, but “likely fake” is only said above {threshold}."
)
LEANS_REAL = (
    "At {percent}, it leans towards real, but “likely real” is only said below {threshold}."
)
LEANS_NEITHER = "At {percent}, it leans neither way."

# Why it is uncertain.
BLURRED = "The faces are soft or out of focus, so the detail that gives a fake away is missing."
FEW_FRAMES = "A face is seen in only {count} frames, so there is little to weigh."
STILL = "It is a single picture, so there is nothing to compare it with."
DISAGREE = "The faces disagree: {one} comes to {high}, {other} to {low}."
GREY = "The picture is black and white; the model has hardly seen any such video."
DARK = "The faces are very dark; the model has hardly seen any such video."
BETWEEN = (
    "Nothing about the recording explains it: what the faces show lies between the real and the "
    "manipulated ones that the model knows. It may be of a kind that the model does not know."
)

# Why no face was found.
NONE_IN_PICTURE = "None was seen in the picture."
NONE_SEEN = "None was seen in {frames} frames."
NONE_SEEN_APART = (
    "None was seen in {looks} looks, which are up to {gap} apart: a face that is shown only in "
    "between was missed."
)
TOO_SMALL = "Faces smaller than {pixels} pixels are not searched for in a picture of this size."
SIDEWAYS = (
    "It was searched upright and turned by each quarter. Faces in profile, covered faces and faces "
    "tilted halfway may not be found."
)

# What to do next.
DO_SHARPER = "Look for a larger or sharper version: the original file, not a copy from a messenger."
DO_CLOSER = "Cut the picture down to the face in question, and check that."
DO_THOROUGH = "Check again with “Thorough”, or cut out the passage in question and check that."
DO_PASSAGE = "Cut out the passage in question, and check that."
DO_IN_FRONT = "Look for a recording in which the face looks towards the camera."
DO_LONGER = "Look for a longer recording in which the face can be seen."
DO_UPRIGHT = "Turn the picture upright, and check again."
DO_EACH_FACE = "Cut the video so that one face is in it at a time, and check each."
DO_STREAM = "Save the other video in the file as a file of its own, and check that."
DO_ORIGINAL_FILE = "Ask for the undamaged file."
DO_STRETCH = "Watch the marked stretch closely: edges of the face, teeth, eyes, and how they move."
DO_SOURCE = "Look for the original, and ask who published it first."
DO_OTHERS = "Have it examined by people who do this for a living before you publish."
DO_CONTEXT = "Check where it comes from all the same: a genuine picture can tell a false story."
