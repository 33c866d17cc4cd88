"""Trained and pretrained models applied to sound: clip scores, classification, event detection, transcription.

Uses networks, pretrained, the store and audio; trains nothing.
"""
