"""Generated bad input: every case ends in one clear message or does no harm. ``python -m tests.fuzz`` runs many."""
