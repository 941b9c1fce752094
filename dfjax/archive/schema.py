"""The columns of a scan's table: the fields of `Prediction`, nested as in its JSON."""

import dataclasses
import types
import typing
from typing import Any, Literal

import pyarrow as pa

from dfjax.checks import field_types
from dfjax.prediction import NOT_IN_JSON, SCHEMA_VERSION, Prediction

_PLAIN = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def _arrow_type(kind: Any) -> pa.DataType:
    """Returns the Arrow type of a field's annotation."""
    if dataclasses.is_dataclass(kind):
        return pa.struct([(name, _arrow_type(of)) for name, of in field_types(kind).items()])
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        (kind,) = (argument for argument in arguments if argument is not type(None))
        return _arrow_type(kind)
    if origin is Literal:
        return _arrow_type(type(arguments[0]))
    if origin is tuple:
        return pa.list_(_arrow_type(arguments[0]))
    return _PLAIN[kind]


_JUDGED = [
    pa.field(name, _arrow_type(kind))
    for name, kind in field_types(Prediction).items()
    if name not in NOT_IN_JSON
]

TABLE_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("sha256", pa.string()),
        pa.field("error", pa.string()),
        *_JUDGED,
    ],
    metadata={"dfjax.schema_version": str(SCHEMA_VERSION)},
)
"""A row for each file. One that could not be judged has `error`, and null in all that follows."""

SCORED_SCHEMA = pa.schema(
    [
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("again", pa.bool_(), nullable=False),
        pa.field("error", pa.string()),
        *_JUDGED,
    ]
)
"""A row for each content that was scored: `name` is that of the file that was read, and `again` is
whether the next scan is to try it again, since something other than the content made it fail."""

HASHED_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("facts", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
    ]
)
"""A row for each file that was hashed: `facts` changes when size, time or place of it do."""
