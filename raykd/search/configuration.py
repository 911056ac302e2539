"""What makes two runs of a sweep the same configuration: all that decides how they train, but for the seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from raykd.methods import METHODS
from raykd.search.spec import SweepSpec
from raykd.train.config import Training


def configuration(spec: SweepSpec, settings: Mapping[str, Any]) -> str:
    """A text that is the same for the same configuration, whoever spelt out which of its defaults.

    Args:
        spec: The sweep, which has the settings that its trials share.
        settings: A run's, as a ledger's entry holds them.

    Returns:
        JSON of the method with all its hyperparameters, the training and the student; no seed.
    """
    trial = spec.trial("", dict(settings), "")
    parameters = METHODS[trial.method].parameters.model_validate(trial.parameters).model_dump()
    training = Training.model_validate(trial.training.model_dump()).model_dump(exclude={"seed"})  # 3 epochs are 3.0
    return json.dumps([trial.method, parameters, training, spec.student_of(settings)], sort_keys=True, default=str)
