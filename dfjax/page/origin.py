"""What a file says of its own origin, as a card beside the verdict."""

from dfjax.page.rendering import render
from dfjax.prediction import Prediction
from dfjax.provenance import Provenance
from dfjax.reporting.shown_provenance import shown_provenance


def provenance_card(prediction: Prediction) -> str:
    """Returns the card as HTML; nothing for frames in memory."""
    shown = shown_provenance(prediction.provenance)
    return "" if shown is None else render("provenance.html", shown=shown)


def says_something(provenance: Provenance | None) -> bool:
    """Returns whether a file says, or tried to say, where it is from."""
    return provenance is not None and provenance.status not in ("absent", "not_read")
