"""Prints the licences of all that requirements.lock names, as a table for docs/security.md.

    python .ci/licences.py

Exit status 1: some package states a licence that is in no row, or none, or is not installed.
"""

import importlib.metadata
import re
import sys
from pathlib import Path

_LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"

# A package belongs to the first row that its licence matches.
_ROWS = {
    "MPL-2.0 (for changes to its own files)": r"MPL|Mozilla",
    "Apache-2.0": r"Apache",
    "BSD": r"BSD",
    "MIT": r"MIT",
    "ISC": r"ISC",
    "PSF": r"PSF|Python Software Foundation",
}


def main() -> int:
    """Prints the table, and what is in no row of it."""
    rows: dict[str, list[str]] = {row: [] for row in _ROWS}
    unknown = []
    for name in re.findall(r"^([\w.-]+)==", _LOCK.read_text(encoding="utf-8"), re.MULTILINE):
        stated = _stated(name)
        row = next((row for row, words in _ROWS.items() if re.search(words, stated)), None)
        if row is None:
            unknown.append(f"{name}: {stated or 'none stated, or not installed'}")
        else:
            rows[row].append(name)
    print("| licence | packages |", "|---|---|", sep="\n")
    for row, names in rows.items():
        print(f"| {row} | {', '.join(names)} |")
    print(*unknown, sep="\n", file=sys.stderr)
    return 1 if unknown else 0


def _stated(name: str) -> str:
    """Returns what an installed package says its licence is, in its words."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    if expression := metadata.get("License-Expression"):
        return expression
    kinds = [kind for kind in metadata.get_all("Classifier", []) if kind.startswith("License ::")]
    return " ".join(kinds) or (metadata.get("License") or "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
