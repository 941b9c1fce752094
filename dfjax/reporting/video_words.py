"""The words of the report on one video. What is in braces is filled in."""

LANGUAGE = "en"

TITLE = "Deepfake check"
CHECKED = "Checked {time}"

VERDICTS = {
    "fake": ("Likely fake", "The model finds signs of manipulation in at least one face."),
    "real": (
        "Likely real",
        "The model finds no sign of manipulation. That is no proof that the video is genuine.",
    ),
    "uncertain": (
        "Uncertain",
        "The evidence is not plain enough for a verdict. Treat the video as unverified.",
    ),
    "no_face": (
        "No face found",
        "There was nothing to judge. This says nothing about whether the video is genuine.",
    ),
}
WITHHELD = "This model is too weak to judge. Treat the video as unverified."
UNCALIBRATED = (
    "This model was never calibrated, so it gives no verdict. Its probability is a hint; treat the "
    "video as unverified."
)

PROBABILITY = "Probability of manipulation"
LIKELY_REAL, LIKELY_FAKE = "likely real", "likely fake"
ZONES = "“Likely fake” is said above {above}, “likely real” below {below}."
NO_VERDICTS = "This model gives no verdict: every video with a face is called uncertain."
FALSE_POSITIVES = "At most {rate} of real validation videos lie above the first line."
FALSE_NEGATIVES = "At most {rate} of fake ones lie below the second."
UNKNOWN_ERRORS = "How often it is wrong was not measured for this model: read it as a hint."

NOTE = "Please note"

TIMELINE = "Over time"
TIMELINE_INFO = (
    "A row for each face, a bar for each frame that was looked at: the taller, the more signs of "
    "manipulation in that frame. Single frames say less than the whole, so the lines of the "
    "verdict do not apply to them."
)
STRETCHES = "Shaded stretches look manipulated:"
STRETCH = "{face}: {start} to {end}, {percent}"
STILL = "single picture"

FACES = "The faces that were judged"
FACE = "Face {number}"
SEEN = "seen {start} to {end}"
CROP = "{face} at {time}"
HEAT_MAP = "where the model looked"
LEFT_OUT = {
    "short": "Seen in hardly any frame, so it has no say in the verdict.",
    "small": "Too small to be judged well, so it has no say in the verdict.",
}

PROVENANCE = "What the file says of itself"
PROVENANCE_INFO = (
    "Content Credentials (C2PA) are signed notes in a file on how it was made. They are reported "
    "beside the verdict and have no part in it."
)
PROVENANCE_STATUS = {
    "absent": "It has no Content Credentials. That is normal: most files have none, and most sites "
    "remove them.",
    "valid": "It has Content Credentials, and neither they nor the file was changed since they "
    "were signed. Nobody has checked that the signer is who the certificate says: no list of "
    "trusted signers is kept.",
    "broken": "It has Content Credentials, but they do not hold: the file or its credentials were "
    "changed after they were signed, or the signature is not sound. What they say cannot be relied "
    "on.",
    "remote": "It names an internet address for its Content Credentials. No address is asked, so "
    "they were not read.",
    "unreadable": "It seems to have Content Credentials, but they cannot be read.",
    "not_read": "It may have Content Credentials, which this installation does not read.",
}
PROVENANCE_FIELDS = {
    "signer": "Signed by",
    "signed_at": "Signed at",
    "tool": "Written with",
    "made_with_ai": "Says AI made it",
    "source_types": "Stated source",
    "problems": "What failed",
}
SAYS_AI, SAYS_NO_AI = "Yes, at least a part of it", "No"

HOW = "How it was checked"
FILE, CHECK, MODEL = "The file", "The check", "The model"
FACTS = {
    "name": "Name",
    "sha256": "SHA-256",
    "size": "Size",
    "format": "Codec, container",
    "picture": "Picture",
    "length": "Length",
    "time": "Time",
    "effort": "Effort",
    "frames": "Frames looked at",
    "looks": "Looks",
    "gap": "Longest part not looked at",
    "faces": "Faces followed",
    "model": "Name",
    "revision": "Revision",
    "digest": "Digest",
    "version": "Program",
    "fake_above": "Fake above",
    "real_below": "Real below",
    "false_positive_rate": "False-positive rate there",
    "false_negative_rate": "False-negative rate there",
}
BYTES = "{shown} ({exact} bytes)"
WITH_FACE = "{sampled}, of which {scored} with a face"
AT_RATE = "{length} at {rate} frames a second"
UNKNOWN = "not known"
AT_MOST = "at most {rate} of real validation videos"
AT_MOST_FAKE = "at most {rate} of fake validation videos"

LIMITS = "What this cannot tell"
LIMITS_TEXT = (
    ("“Likely real” is not proof.", "New or careful manipulations can pass."),
    (
        "“Likely fake” is not proof either.",
        "Compression, filters, make-up, screens that were filmed, and dark or blurred pictures can "
        "raise the score of a genuine video.",
    ),
    (
        "Only faces are judged.",
        "A cloned voice, a false caption, a staged scene or another background leaves no trace.",
    ),
    (
        "It samples.",
        "A change that lasts a moment can fall between two looks; small and averted faces may not "
        "be found.",
    ),
)
LAST_WORD = (
    "Never accuse a person on the strength of this number alone. Look for the original, ask who "
    "published it, and have it examined."
)
FOOT = "Made by dfjax {version}. This file loads nothing from the internet."
