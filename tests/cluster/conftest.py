"""The workspace of the sweeps' tests, for sweeps on clusters."""

from __future__ import annotations

from tests.sweep.conftest import place

__all__ = ["place"]
