"""The words of the page that do not depend on a video."""

from html import escape

from dfjax.prediction import ModelSummary

TITLE = "dfjax · deepfake check"

DESCRIPTION = (
    "Check whether the faces in a video were manipulated: a verdict, a probability, "
    "and a score for every frame that was looked at."
)

CHOOSE_FIRST = "Choose a video or one of the examples first, then press “Check this video”."

OUR_FAULT = (
    "Something went wrong on our side, and nothing was decided about your video. "
    "Please try once more; if it happens again, another video may still work."
)


def header() -> str:
    """Returns the head of the page."""
    return (
        '<header class="df-header"><p class="df-brand"><svg viewBox="0 0 24 24" '
        'aria-hidden="true"><path d="M3 8V3h5M16 3h5v5M21 16v5h-5M8 21H3v-5"/>'
        '<path d="M7.5 12.2h2l1.4-3.4 2.2 6.6 1.4-3.2h2"/></svg>dfjax</p>'
        "<h1>Is this video a deepfake?</h1>"
        "<p>The model looks at the faces in your video, frame by frame, and says how likely it is "
        "that they were manipulated, and how sure it can be.</p></header>"
    )


def how_it_works(num_frames: int) -> str:
    """Returns what stands in the place of the result before there is one."""
    steps = (
        ("Choose a video", "Your own, or one of the examples. A single picture works too."),
        (
            "Every face is followed",
            f"Up to {num_frames} frames, evenly spread over the whole length, are looked at.",
        ),
        (
            "You get a verdict with its evidence",
            "A probability, a score for every frame, the faces that were judged, "
            "and the whole report as a file.",
        ),
    )
    items = "".join(f"<li><h3>{title}</h3><p>{text}</p></li>" for title, text in steps)
    return f'<section class="df-card df-steps"><h2>How it works</h2><ol>{items}</ol></section>'


def privacy_note(minutes_kept: int) -> str:
    """Returns the line under the upload; `minutes_kept` is how long a file can stay at most."""
    return (
        '<p class="df-privacy"><svg viewBox="0 0 24 24" aria-hidden="true">'
        '<rect x="4.5" y="10.5" width="15" height="10" rx="2"/>'
        '<path d="M8 10.5V7a4 4 0 0 1 8 0v3.5"/></svg><span>Your video is only used for this '
        "check. It is not shared, and the file is deleted from the server within "
        f"{minutes_kept} minutes.</span></p>"
    )


def limits() -> str:
    """Returns what a verdict cannot tell."""
    points = (
        (
            "“Likely real” is not proof",
            "The model knows the kinds of face manipulation that it was trained on. "
            "A new or careful one can pass.",
        ),
        (
            "“Likely fake” is not proof either",
            "Heavy compression, filters, make-up, screens filmed with a phone and dark or blurred "
            "pictures can raise the score of a genuine video.",
        ),
        (
            "Only faces are judged",
            "A cloned voice, a false caption, a staged scene, an edited background or a video "
            "taken out of its context leaves no trace here.",
        ),
        (
            "It samples",
            "A few frames stand for the whole video. A change that lasts a moment can fall "
            "between them; small and averted faces may not be found.",
        ),
    )
    items = "".join(f"<li><h3>{title}</h3><p>{text}</p></li>" for title, text in points)
    return (
        '<section class="df-limits"><h2>What this cannot tell</h2>'
        f"<ul>{items}</ul><p>Never accuse a person on the strength of this number alone. Look for "
        "the original, ask who published it, and have it examined.</p></section>"
    )


def footer(model: ModelSummary) -> str:
    """Returns the foot of the page: model, version and terms."""
    revision = f" at revision {escape(model.revision)}" if model.revision else ""
    return (
        '<footer class="df-footer"><p>'
        f"Model <strong>{escape(model.id)}</strong>{revision} · dfjax {escape(model.version)}</p>"
        "<p>The code is free under the Apache licence 2.0. The model's weights have a licence of "
        "their own, stated in its model card; the one that comes with dfjax is for "
        "non-commercial research (CC BY-NC 4.0).</p></footer>"
    )
