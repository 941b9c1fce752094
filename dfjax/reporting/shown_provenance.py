"""What a file says of its own origin, in words, for the page and for reports."""

import dataclasses

from dfjax.provenance import Provenance, Status
from dfjax.words import words


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownProvenance:
    """Words beside a verdict, which they are no part of."""

    status: Status
    sentence: str
    rows: tuple[tuple[str, str], ...]  # what is stated, and how


def shown_provenance(provenance: Provenance | None) -> ShownProvenance | None:
    """Returns what a file says of itself; None for frames in memory, which say nothing."""
    if provenance is None:
        return None
    ai = {True: words.provenance.ai, False: words.provenance.no_ai}
    rows = {
        "signer": provenance.signer,
        "signed_at": provenance.signed_at,
        "tool": provenance.tool,
        "made_with_ai": None if provenance.made_with_ai is None else ai[provenance.made_with_ai],
        "source_types": ", ".join(provenance.source_types),
        "problems": ", ".join(provenance.problems),
    }
    return ShownProvenance(
        status=provenance.status,
        sentence=words.provenance.status[provenance.status],
        rows=tuple((words.provenance.fields[key], text) for key, text in rows.items() if text),
    )
