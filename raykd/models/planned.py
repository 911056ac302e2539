"""The sizes of a student before it is made: what a description and a configuration file say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from raykd.models.classifier import load_config
from raykd.models.shape import Shape, shape
from raykd.models.source import resolve
from raykd.models.spec import Build, Cut, StudentSpec, check_student


def student_shape(spec: StudentSpec, origin: Path) -> Shape:
    """The sizes of the student that `spec` makes of the encoder in folder `origin`; UserError as check_student."""
    config = load_config(origin)
    check_student(spec, config)
    if isinstance(spec, Cut):
        return replace(shape(config), layers=spec.layers)
    if isinstance(spec, Build):
        return replace(shape(config), layers=spec.layers, hidden=spec.hidden, heads=spec.heads, projected=None)
    return shape(load_config(resolve(spec.name, role="student")))
