"""The description of a data set for machines: Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html).

A table is a file with its SHA-256 and a record set of its columns, the sounds of a part are a set of files. A record
names its sound by `file_name`. No field refers to the content of the sounds: mlcroissant 1.1 reads no WAV.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from labeltool.exporters.data_sets.card import DataSet
from labeltool.exporters.licences import address

CROISSANT = "croissant.json"

_OWN_TERMS = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format"),
    *("includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
    *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "sc": "https://schema.org/",
    **{name: f"cr:{name}" for name in _OWN_TERMS},
}


def write(data: DataSet, state: str, columns: Mapping[str, str], table: str, directory: Path) -> None:
    """Write `croissant.json`.

    Parameters
    ----------
    state
        When the data were last changed, ISO 8601.
    columns
        Columns of the table of each part that are described, and their types of schema.org.
    table
        Name of the table in the folder of each part, which is written already.
    """
    tables = {part: f"{part}/{table}" for part in data.parts}
    licences = sorted({address(one) if one else "unknown" for one in data.clips["licence"].fillna("")})
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": data.name,
        "description": data.describe(),
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "license": licences,
        "dateModified": state,
        "distribution": [
            one for part in data.parts for one in _files(part, tables[part], (directory / tables[part]).read_bytes())
        ],
        "recordSet": [_records(part, tables[part], columns.items()) for part in data.parts],
    }
    text = json.dumps(described, ensure_ascii=False, indent=1) + "\n"
    (directory / CROISSANT).write_text(text, encoding="utf-8", newline="\n")


def _files(part: str, table: str, content: bytes) -> list[dict[str, str]]:
    return [
        {
            "@type": "cr:FileObject",
            "@id": table,
            "name": table,
            "contentUrl": table,
            "contentSize": f"{len(content)} B",
            "encodingFormat": "text/csv",
            "sha256": hashlib.sha256(content).hexdigest(),
        },
        {
            "@type": "cr:FileSet",
            "@id": f"{part}-sounds",
            "name": f"{part}-sounds",
            "description": f"The sounds of the part {part}, named in the column file_name of {table}.",
            "encodingFormat": "audio/wav",
            "includes": f"{part}/*.wav",
        },
    ]


def _records(part: str, table: str, columns: Iterable[tuple[str, str]]) -> dict[str, object]:
    return {
        "@type": "cr:RecordSet",
        "@id": part,
        "name": part,
        "description": f"A record for each sound of the part {part}.",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{part}/{column}",
                "name": column,
                "dataType": data_type,
                "source": {"fileObject": {"@id": table}, "extract": {"column": column}},
            }
            for column, data_type in columns
        ],
    }
