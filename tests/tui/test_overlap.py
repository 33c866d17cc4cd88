"""Double labelling: the second person is given the clip, and sees neither the first's labels nor a suggestion."""

from __future__ import annotations

from helpers.app import answer, opened, picture, suggest, until
from labeltool.annotation import next_clips
from labeltool.annotation.people.agreement import project_agreement
from labeltool.annotation.people.overlap import is_in_overlap
from labeltool.project import Project, write_setting
from labeltool.records import Value
from labeltool.store import Store, clips, journal
from labeltool.store.journal import AnnotationContext


def label_all(store: Store, annotator: str, label: str, *, overlap: float = 0.5) -> list[int]:
    """Label whatever an annotator is given; return the clips."""
    given = []
    while found := next_clips.next_clips(store, 3, annotator=annotator, overlap=overlap):
        given.append(found[0].id)
        journal.annotate(store, found[0].id, label, annotator=annotator)
    return given


async def test_the_second_person_labels_blind_and_counts_no_clip_twice(app_project: Project, reading: Store) -> None:
    write_setting(app_project, "labelling", "overlap", 1)
    app_project.reread_settings()
    suggest(app_project)
    with app_project.open_store() as store:
        every = [clip.id for clip in clips.all_clips(store)]
        for clip_id in every[1:]:  # the first has labels already
            journal.annotate(store, clip_id, "secret", annotator="bob")
    async with opened(app_project) as (app, screen, pilot):
        for left in range(len(every), 0, -1):
            await until(pilot, lambda: screen.current is not None, "a clip")
            assert screen.current is not None and screen.current.is_second
            assert screen.current.rows == () and not screen.current.probabilities and not screen.current.proposed
            await until(pilot, lambda: app.services.state.labelled == len(every), f"the count, {left} left")
            await answer(screen, pilot, "1")
        assert "No unlabelled clips are left" in picture(screen)
        await pilot.press("u")
        await until(pilot, lambda: screen.current is not None, "the clip that was undone")
        assert screen.current is not None and screen.current.is_second
    found = project_agreement(reading)
    assert found is not None and found.clips == len(every) - 1


def test_some_clips_are_given_to_two_people_and_none_to_a_third(app_project: Project) -> None:
    with app_project.open_store() as store:
        every = {clip.id: clip for clip in clips.all_clips(store)}
        twice = {number for number, clip in every.items() if is_in_overlap(clip.key, 0.5)}
        assert 0 < len(twice) < len(every)
        assert len(label_all(store, "ann", "dog", overlap=0)) == len(every) - 1  # the first has labels already
        assert set(label_all(store, "bob", "cat")) == twice
        assert label_all(store, "carol", "owl") == []
        # What was accepted without listening, or imported, is nobody's.
        journal.undo(store, annotator="bob")
        free = next_clips.next_clips(store, 9, annotator="carol", overlap=0.5)
        assert len(free) == 1
        context = AnnotationContext(accepted_from="m")
        journal.annotate(store, free[0].id, "dog", annotator="dora", context=context)
        assert next_clips.next_clips(store, 9, annotator="carol", overlap=0.5) == free
        journal.exclude(store, free[0].id, "skip", annotator="carol")
        assert next_clips.next_clips(store, 9, annotator="carol", overlap=0.5) == []


def test_both_come_among_the_others(app_project: Project) -> None:
    with app_project.open_store() as store:
        some = [clip.id for clip in clips.all_clips(store)][1::2]
        for clip_id in some:
            journal.annotate(store, clip_id, "dog", Value.PRESENT, annotator="bob")
        found = next_clips.next_clips(store, 99, annotator="ann", overlap=1.0)
        assert {clip.id for clip in found} == {clip.id for clip in clips.all_clips(store)}
