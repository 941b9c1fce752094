"""Reads the lists that come with data sets: text, JSON and tables, as programs save them."""

import codecs
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dfjax.errors import DatasetError

_DELIMITERS = (",", ";", "\t")  # Excel writes ; where , is the decimal point, and tabs with UTF-16
_BEYOND = "\n"  # stands for the columns that have no name; no name is this, as names are stripped


def read_text(file: Path) -> str:
    """Returns the text of a file in UTF-8 or, if it begins with a byte-order mark, UTF-16.

    Raises:
      DatasetError: The file cannot be read, or is in another encoding. Which one cannot be known
        for certain, and a wrong guess would silently change names.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror}.") from error
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DatasetError(
            f"Line {line} of {file} is not UTF-8 text. Save it as UTF-8: in Excel, choose the file "
            'type "CSV UTF-8 (Comma delimited)".'
        ) from error
    if "\0" in text:
        raise DatasetError(f"{file} is not UTF-8 text: it has NUL characters. Save it as UTF-8.")
    return text


def read_json(file: Path) -> Any:
    """Returns the contents of a JSON file.

    Raises:
      DatasetError: The file cannot be read or is not JSON.
    """
    try:
        return json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{file} is not complete JSON: {error}. Was its download cut off? Get it again."
        ) from error


class Table(NamedTuple):
    """What a CSV file says."""

    columns: list[str]
    rows: list[dict[str, str]]
    lines: list[int]  # of the file, in which the rows end, counted from 1


def read_table(file: Path) -> Table:
    """Returns the column names of a CSV file, and its rows without surrounding spaces.

    Columns may be separated by commas, semicolons or tabs; the header line shows by which. Cells
    that a row lacks are "", and empty cells beyond the last column are left out.

    Raises:
      DatasetError: The file cannot be read or is not a table, two columns have one name, or a row
        has more cells than there are columns: a comma in one of them may have shifted the others.
    """
    text = read_text(file)
    header = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)  # the first of them if there is none
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey=_BEYOND)
    try:
        columns = [name.strip() for name in table.fieldnames or ()]
        if repeated := [name for name in columns if name and columns.count(name) > 1]:
            raise DatasetError(
                f"{file} has {columns.count(repeated[0])} columns named {repeated[0]!r}, and which "
                "of them is meant is not known. Keep one, or give the others names of their own."
            )
        table.fieldnames = columns
        rows, lines = [], []
        for cells in table:
            if any(cell.strip() for cell in cells.pop(_BEYOND, ())):
                raise DatasetError(
                    f"Line {table.line_num} of {file} has more cells than the header's "
                    f"{len(columns)}. Is there a {delimiter!r} in a cell? Put that cell in double "
                    "quotes."
                )
            rows.append({name: (cell or "").strip() for name, cell in cells.items() if name})
            lines.append(table.line_num)
    except csv.Error as error:
        raise DatasetError(
            f"{file} is not a table, after line {table.line_num}: {error}. Save it again as CSV."
        ) from error
    return Table(columns, rows, lines)


def require_columns(file: Path, columns: Sequence[str], needed: Sequence[str]) -> None:
    """Checks that a table has the columns that its reader needs.

    Raises:
      DatasetError: One is missing.
    """
    if missing := [name for name in needed if name not in columns]:
        raise DatasetError(
            f"{file} lacks {', '.join(missing)}: it has the columns "
            f"{', '.join(columns) or '(none)'} and needs {', '.join(needed)}."
        )
