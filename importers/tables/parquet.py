"""Tables as Parquet. Hugging Face has a sound as an object with its name, and names of classes in the metadata."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeltool.errors import LabeltoolError
from labeltool.importers.base import MAX_TEXT_BYTES, quoted
from labeltool.importers.json_file import fields_of, items_of
from labeltool.importers.tables.text import Table, require_bounded
from labeltool.records import Note, Skipped
from labeltool.util.files.bounded_read import parse_json

if TYPE_CHECKING:
    import pandas as pd

_NAME, _SOUND = ".path", ".bytes"


def read_parquet(path: Path) -> Table:
    """Read a table; of a column of sounds their names are read, not the sounds.

    Raises
    ------
    LabeltoolError
        When it is no Parquet, or too large, or pyarrow is not there.
    """
    from pandas.api.types import is_numeric_dtype

    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        remedy = "install `labeltool[parquet]`, or give a CSV"
        raise LabeltoolError("is Parquet, which needs pyarrow", file=path, remedy=remedy) from error
    try:
        with parquet.ParquetFile(path) as file:
            require_bounded(path, file.metadata.num_rows, file.metadata.num_columns)
            # Columns of other nested values are no labels.
            names = [one.name for one in file.schema_arrow if not one.type.num_fields and "binary" not in str(one.type)]
            groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
            chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
            sounds = {one.path_in_schema for one in chunks if one.path_in_schema.endswith(_NAME)}
            inside = [one for one in chunks if one.path_in_schema.endswith(_SOUND) and not _is_empty(one)]
            if path.stat().st_size - sum(one.total_compressed_size for one in inside) > MAX_TEXT_BYTES:
                raise LabeltoolError(f"is larger than {MAX_TEXT_BYTES >> 20} MB", file=path, remedy="cut it into parts")
            frame = file.read(columns=[*names, *sounds]).flatten().to_pandas(ignore_metadata=True)
            metadata = (file.schema_arrow.metadata or {}).get(b"huggingface", b"")
        # Numbers stay, anything else becomes what Python has for it: here, where a damaged text is found.
        frame = frame.astype({name: object for name in frame if not is_numeric_dtype(frame[name].dtype)})
    except (ArrowException, OSError, ValueError, OverflowError) as error:
        reason = f"cannot be read as Parquet: {quoted(str(error))}"
        raise LabeltoolError(reason, file=path, remedy="was it copied whole?") from error
    frame = frame.rename(columns={name: name.removesuffix(_NAME) for name in sounds})
    reason = "has sounds in it, which are not read: only files of their names beside it are (`datasets` writes such)"
    skipped: list[Skipped] = [Note(str(path), None, reason)] if inside else []
    return Table(path, _with_class_names(frame, metadata), None, skipped)


def _is_empty(chunk: Any) -> bool:
    return chunk.statistics is not None and chunk.statistics.null_count == chunk.num_values


def _with_class_names(frame: pd.DataFrame, metadata: bytes) -> pd.DataFrame:
    """Replace the indices of classes by the names that Hugging Face has in a file's metadata."""
    document: object = None
    with suppress(ValueError):
        document = parse_json(metadata)
    features = fields_of(fields_of(fields_of(document).get("info")).get("features"))
    for column, feature in features.items():
        names = dict(enumerate(map(str, items_of(fields_of(feature).get("names")))))
        if names and column in frame:
            frame[column] = frame[column].map(names).astype(object)
    return frame
