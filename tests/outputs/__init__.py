"""Where commands write: what is theirs, what is a person's, and what becomes of either."""
