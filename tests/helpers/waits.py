"""How long tests wait for what comes by itself: on a busy machine it may take long, and only a hang reaches this."""

DEADLINE_S = 120.0
