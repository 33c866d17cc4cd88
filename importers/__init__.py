"""Readers of foreign formats: one file each, yielding records, knowing nothing of the store.

Each reader is a generator of `labeltool.records.Imported`: a clip comes after its recording, a verdict after its clip,
and whatever was not taken, or not as it stood, is a `Skipped` that says why. What a reader cannot use at all raises
`LabeltoolError`, possibly after it has yielded records: take its records in one transaction.
"""
