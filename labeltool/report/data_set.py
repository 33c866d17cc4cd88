"""What a report says of the data: clips, labels, groups, licences, how even the labels are, how far people agree."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import replace

from labeltool.annotation.people.agreement import ProjectAgreement, project_agreement
from labeltool.records import Value
from labeltool.report.contents import ClassCount, DataSet
from labeltool.store import Store, clips, groups


def collect(store: Store, *, is_shared: bool) -> DataSet:
    """Return what the store has; people have numbers instead of names in a report that is shared."""
    counts = clips.counts(store)
    everything = clips.all_clips(store)
    classes = _classes(store)
    agreement = project_agreement(store)
    (annotators,) = store.connection.execute(
        "SELECT COUNT(DISTINCT annotator) FROM active_events "
        "WHERE kind = 'verdict' AND origin NOT IN ('import', 'rule')"
    ).fetchone()
    licences = store.connection.execute(
        "SELECT COALESCE(licence, ''), COUNT(*) AS n FROM active_recordings GROUP BY 1 ORDER BY n DESC, 1"
    ).fetchall()
    present = [one.clips for one in classes if one.clips]
    shares = [count / sum(present) for count in present]
    return DataSet(
        recordings=counts.recordings,
        clips=counts.clips,
        labelled=counts.labelled,
        unlabelled=counts.unlabelled,
        excluded=counts.excluded,
        hours=sum(one.end_s - one.start_s for one in everything) / 3600,
        groups=len({one.group for one in everything}),
        annotators=annotators,
        classes=classes,
        licences=tuple((name, count) for name, count in licences),
        folds=tuple(sorted(Counter(one.fold for one in everything if one.fold is not None).items())),
        largest_to_smallest=max(present) / min(present) if len(present) > 1 else None,
        even_classes=math.exp(-sum(share * math.log(share) for share in shares)) if len(present) > 1 else None,
        agreement=_without_names(agreement) if agreement is not None and is_shared else agreement,
    )


def _classes(store: Store) -> tuple[ClassCount, ...]:
    by_value: dict[Value, Counter[str]] = {value: Counter() for value in Value}
    of_label: dict[str, set[str]] = defaultdict(set)
    locked, locked_groups = Counter[str](), groups.locked_groups(store)
    for one in clips.labelled(store, which="all"):
        for label, value in one.verdicts.items():
            by_value[value][label] += 1
        for label in one.present:
            of_label[label].add(one.clip.group)
            locked[label] += one.clip.group in locked_groups
    retired = clips.retired_names(store)
    names = {*clips.label_names(store), *of_label} - retired
    found = [
        ClassCount(
            name,
            by_value[Value.PRESENT][name],
            by_value[Value.ABSENT][name],
            by_value[Value.UNSURE][name],
            len(of_label[name]),
            locked[name],
        )
        for name in names
    ]
    return tuple(sorted(found, key=lambda one: (-one.clips, one.label)))


def _without_names(agreement: ProjectAgreement) -> ProjectAgreement:
    numbers = {name: f"annotator {number}" for number, name in enumerate(agreement.annotators, start=1)}
    pairs = tuple(
        replace(one, annotators=(numbers[one.annotators[0]], numbers[one.annotators[1]])) for one in agreement.by_pair
    )
    return replace(agreement, annotators=tuple(numbers.values()), by_pair=pairs)
