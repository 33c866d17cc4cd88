"""What the app says of how often suggestions are right."""

from __future__ import annotations

from labeltool.active_learning.accuracy_estimate import AccuracyEstimate
from labeltool.active_learning.suggester_state import SuggesterState


def test_a_wide_interval_is_too_few_labels_and_a_finished_project_has_no_estimate() -> None:
    wide, narrow = AccuracyEstimate(0.58, 0.0, 1.0, 25), AccuracyEstimate(0.8, 0.7, 0.9, 40)
    assert str(SuggesterState("embeddings", "net", 1, accuracy=narrow)).startswith("net, 1 labelled clip; about 80%")
    assert "too few labels to say" in str(SuggesterState("embeddings", "net", 25, accuracy=wide))
    assert str(SuggesterState("embeddings", "net", 60, is_done=True)) == "net, 60 labelled clips"
