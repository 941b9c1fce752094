"""The words of how good the model is. What is in braces is filled in."""

TITLE = "How good it is"

NOT_MEASURED = (
    "How often this model is right was not measured: it came without an evaluation of its weights. "
    "Take its verdicts as hints."
)

MEASURED_ON = (
    "Measured on {real} real and {fake} fake videos and pictures, the split “{split}” of its data."
)
TRAINED = "It was trained on some of them, so on others it is wrong more often."
NOT_TRAINED = "It was not trained on them."
FITTED = "Its thresholds were chosen on the same ones, so on others it may be wrong more often."

OF_100 = {"real": "Of 100 real ones", "fake": "Of 100 fakes"}
CALLED = {"real": "likely real", "uncertain": "uncertain", "fake": "likely fake"}
COUNTED = "{total} counted"

KINDS = "Which fakes it catches"
KINDS_INFO = (
    "How many of each kind are called “likely fake”; the others are uncertain or missed. A video "
    "counts once for each encoding in which it was tested."
)
UNNAMED_FAKES = "{dataset} (kinds not named)"
SHARE = "{number} of {total}"

MISLEADING = "What misleads it"
EVERYDAY = "{kind} ({setting}): after it, {called} real videos are called fake."
SLICES = {
    "face size": "Size: of fakes with faces of {where} pixels it catches {low}; of those with "
    "{best} pixels, {high}.",
    "brightness": "Light: of fakes whose faces have a mean brightness of {where} (of 255) it "
    "catches {low}; of those with {best}, {high}.",
}

CARD = "All figures, with intervals, are in the model's card"
CARD_IN_FOLDER = "All figures, with intervals, are in the model's card, README.md in its folder."
