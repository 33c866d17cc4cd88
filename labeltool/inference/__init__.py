"""Trained and pretrained models at work: clip scores and features, detection in long recordings, transcription.

Uses networks, pretrained, the store and audio; trains nothing.
"""
