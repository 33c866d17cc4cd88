"""What a report says of the labelling: what people were asked, how long it took, what it saved."""

from __future__ import annotations

from collections import Counter, defaultdict

from labeltool.annotation import speed
from labeltool.project import Project
from labeltool.report.contents import Labelling, WayOfLabelling
from labeltool.store import Store
from labeltool.store.journal_rows import AUTO_ACCEPTED

_BY_ONE, _TOGETHER, _AUTOMATICALLY = "one by one", "together with others (batch review)", "accepted automatically"
# The last verdict on each clip, the way it was given, and its time. A batch is of several clips, or one clip's labels.
# Relabelling in a list has no time and saves none: an earlier verdict of a person that has one counts before it.
_LAST = f"""
    WITH pages AS (
        SELECT batch_id FROM journal WHERE batch_id IS NOT NULL GROUP BY batch_id HAVING COUNT(DISTINCT clip_id) > 1
    ), timed AS (SELECT clip_id FROM active_events WHERE kind = 'verdict' AND response_ms IS NOT NULL)
    SELECT MAX(j.id), j.clip_id, j.response_ms, CASE
        WHEN j.origin = 'import' THEN 'imported'
        WHEN j.origin = 'rule' THEN 'settled by rule'
        WHEN {AUTO_ACCEPTED} THEN '{_AUTOMATICALLY}'
        WHEN j.batch_id IN pages AND j.response_ms IS NOT NULL THEN '{_TOGETHER}'
        WHEN j.batch_id IN pages THEN 'together in a list, no time measured'
        WHEN j.origin = 'suggestion' THEN 'one by one, the suggestion accepted'
        ELSE '{_BY_ONE}' END AS way
    FROM active_events e JOIN journal j ON j.id = e.id
    WHERE e.kind = 'verdict' AND e.clip_id IN (SELECT clip_id FROM current_annotations)
      AND NOT (j.origin = 'human' AND j.response_ms IS NULL AND j.clip_id IN timed)
    GROUP BY j.clip_id
"""
_MS_PER_MINUTE = 60_000


def collect(project: Project, store: Store) -> Labelling:
    """Return the statistics of a project's journal."""
    statistics = speed.annotation_statistics(store)
    counts, times = Counter[str](), defaultdict[str, list[int]](list)
    for _, _, response_ms, way in store.connection.execute(_LAST):
        counts[way] += 1
        if response_ms is not None:
            times[way].append(min(response_ms, speed.MAX_RESPONSE_MS))
    ways = tuple(
        WayOfLabelling(way, count, sum(times[way]) / _MS_PER_MINUTE if times[way] else None)
        for way, count in counts.most_common()
    )
    by_one = sorted(ms for way, of_way in times.items() if way.startswith(_BY_ONE) for ms in of_way)
    together = counts[_TOGETHER] + counts[_AUTOMATICALLY]
    saved = None
    if by_one and together:
        saved = (together * by_one[len(by_one) // 2] - sum(times[_TOGETHER])) / _MS_PER_MINUTE
    return Labelling(
        strategy=project.settings.learning.query_strategy,
        statistics=statistics,
        ways=ways,
        saved_minutes=saved,
        simulated=speed.labels_saved(project.own_cache),
    )
