"""Readers of foreign formats: one file each; they yield records and use nothing of the store.

`registry` lists them. Each reader is a generator of `labeltool.records.Imported`: a clip comes after its recording, a
verdict after its clip. What was not imported, or not unchanged, is a `Skipped` with the reason. A source that cannot be
read at all raises `LabeltoolError`, possibly after records were yielded: import them in one transaction.
"""
