"""Checks of raykd against reference values: ``python -m tests.golden.check DIR``."""
