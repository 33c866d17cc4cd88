"""Sound files, the log-mel frontend, windows of long recordings, the feature cache and descriptors without a network.

Uses errors, records and util; knows neither the store nor any network.
"""
