"""Defining, ordering, splitting, retiring and deleting labels.

`changes` appends rows to the journal, `derived` computes the table of labels from them, `levels` has labels that are
kinds of others, `split_queue` the clips of a split that are still to be labelled again.
"""
