"""Query strategies, the order of the queue, and which model suggests labels.

Uses training, inference and the store.
"""
