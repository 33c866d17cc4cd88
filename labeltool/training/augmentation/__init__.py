"""Training patches drawn from clips and changed: one sampler for each kind of frontend, and what they share."""
