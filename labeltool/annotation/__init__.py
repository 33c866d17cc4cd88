"""What the app and the commands read from the store: next clips, lists, batch review, label issues, annotation speed.

Uses the store; no network and no screen.
"""
