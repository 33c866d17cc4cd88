"""What a labelling front end asks of the store: the next clip, lists, pages, labels to review, annotation speed.

Uses the store; knows no network and no screen.
"""
