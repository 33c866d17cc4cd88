"""Query strategies, the order of the queue, and the choice of the model that suggests labels.

Uses training, inference and the store.
"""
