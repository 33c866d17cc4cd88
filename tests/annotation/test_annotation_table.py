"""The table of annotations: what counts now, and what counted as of any event or time, by the journal alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.acts import ACTS, act
from helpers.store import current, fill
from labeltool.annotation.annotation_table import DTYPES, annotation_table
from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import Store, journal, spans


def written(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


@settings(max_examples=12)
@given(acts=st.lists(ACTS, max_size=15))
def test_the_table_as_of_each_event_is_the_one_of_that_moment(
    acts: list[tuple[Any, ...]], new_store: Callable[..., Store]
) -> None:
    with new_store() as store:
        fill(store, "a", "b", "c")
        by_event: dict[str, bytes] = {}
        by_time: dict[str, bytes] = {}
        for kind, *values in acts:
            with suppress(LabeltoolError):  # a renaming that makes no sense
                act(store, kind, *values)
            newest = journal.newest_id(store)
            if newest:
                by_event[newest] = by_time[journal.row(store, newest).created_at] = written(annotation_table(store))
        for event, table in by_event.items():
            assert written(annotation_table(store, event)) == table
        for time, table in by_time.items():
            assert written(annotation_table(store, time)) == table
        assert written(annotation_table(store, "1999-12-31")) == written(annotation_table(store).iloc[:0])
        same_rule(store)


def same_rule(store: Store) -> None:
    """Assert that the table has what the screens show of whole recordings, and the last verdict of each label."""
    table = annotation_table(store)
    assert dict(table.dtypes.astype(str)) == dict(DTYPES)
    rows = table[["recording_id", "clip_id", "start_s", "end_s", "label", "value", "region_start_s", "region_end_s"]]
    shown = []
    for recording_id, of_recording in spans.verdicts(store).items():
        for one in of_recording:
            exact = (one.start_s, one.end_s) if one.exact else (float("nan"),) * 2
            shown.append((recording_id, one.clip_id, one.text, str(one.value), *exact))
    mine = [(row[0], row[1], row[4], row[5], row[6], row[7]) for row in rows.itertuples(index=False)]
    assert sorted(map(repr, mine)) == sorted(map(repr, shown))
    newest = table.sort_values("journal_id").groupby(["clip_id", table["label"].fillna("")])["value"].last()
    values = {(clip, label or None): value for (clip, label), value in newest.items()}
    assert values == {key: value for key, value in current(store).items()}


def test_a_time_has_any_offset_and_what_is_none_is_refused(store: Store) -> None:
    fill(store, "a")
    row_id = journal.annotate(store, 1, "dog", annotator="ann")
    moment = datetime.fromisoformat(journal.row(store, row_id).created_at)
    journal.annotate(store, 1, "dog", Value.ABSENT, annotator="ann")
    for time in (moment, moment.astimezone(timezone(timedelta(hours=-7))), moment.replace(tzinfo=None)):
        for given_time in (time, time.isoformat()):
            found = annotation_table(store, given_time)
            assert list(found["journal_id"]) in ([row_id], list(annotation_table(store)["journal_id"]))
    assert annotation_table(store, moment - timedelta(milliseconds=1)).empty
    assert list(annotation_table(store, row_id)["value"]) == ["present"]
    assert annotation_table(store, moment.date()).empty
    assert len(annotation_table(store, moment.date() + timedelta(days=1))) == 1
    with pytest.raises(LabeltoolError, match="neither an event nor a time"):
        annotation_table(store, "yesterday")
    with pytest.raises(LabeltoolError, match="no event"):
        annotation_table(store, "01890000-0000-7000-8000-000000000000")


def test_a_time_outside_the_calendar_is_one_line(store: Store) -> None:
    with pytest.raises(LabeltoolError, match="years 1 to 9999"):
        annotation_table(store, "0001-01-01T00:00+14:00")
