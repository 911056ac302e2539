"""Teacher-assistant distillation: the teacher teaches an assistant of a size between, and it the student (TAKD).

Mirzadeh et al. 2020. Each link of the chain teacher > assistant > ... > student has the loss of the published code,
(1 - lambda) CE + lambda T^2 KL(softmax(teacher / T) || softmax(student / T)), the KL a mean over samples and classes.

Ours: an assistant is described as a student is, and trains as many epochs as the student; "auto" is one cut of the
depth half way between teacher and student, the smaller of two (the paper's convolutional networks are measured in
layers, too); "between" is judged by depth.
"""

from __future__ import annotations

from pydantic import Field

from raykd.errors import UserError
from raykd.methods.element_mean import element_mean
from raykd.methods.method import Link, Method, Pair, Parameters
from raykd.methods.recipe import Recipe
from raykd.models.spec import Build, Cut, parse_student

AUTO = "auto"


class TAKDParameters(Parameters):
    """Weight and temperature of every link, and who stands between."""

    lambda_kd: float = Field(0.5, ge=0, le=1, description="weight of the soft term; the hard term has 1 - lambda_kd")
    temperature: float = Field(5.0, gt=0, description="T, softens both distributions")
    assistants: str = Field(
        AUTO, description="students joined by '+', the largest first, e.g. cut:9+cut:6; auto: one, half way in depth"
    )


def recipe(parameters: TAKDParameters, pair: Pair) -> Recipe:
    """That of every link: one stage of two terms. UserError where the learner is deeper than its teacher."""
    if pair.student.layers > pair.teacher.layers:
        raise UserError(
            f"assistants '{parameters.assistants}': one that has {pair.student.layers} layers would learn from one "
            f"that has {pair.teacher.layers}; name them from the deepest down, none deeper than the teacher"
        )
    return element_mean(pair, parameters.lambda_kd, parameters.temperature)


def chain(parameters: TAKDParameters, pair: Pair) -> tuple[Link, ...]:
    """The assistants from the largest down, then the student. UserError for assistants that are not between."""

    def link(of: Pair) -> Recipe:
        return recipe(parameters, of)

    names = _assistants(parameters.assistants, pair)
    assistants = (Link(f"assistant-{number}", link, learner=name) for number, name in enumerate(names, start=1))
    return (*assistants, Link("student", link))


def _assistants(text: str, pair: Pair) -> list[str]:
    """Their descriptions in order."""
    teacher, student = pair.teacher.layers, pair.student.layers
    if text.strip() == AUTO:
        if teacher - student < 2:
            shallow = f"give a student of 1 to {teacher - 2} layers, or " if teacher > 2 else ""
            raise UserError(
                f"assistants 'auto': there is no depth between the student's {student} and the teacher's {teacher}; "
                f"{shallow}name the assistants, e.g. cut:{teacher}"
            )
        return [f"cut:{(teacher + student) // 2}"]
    problems: list[str] = []
    names, above = [part.strip() for part in text.split("+")], teacher
    for name in names:
        if name in ("student", "teacher"):  # to a chain they mean these very networks
            problems.append(f"assistants: '{name}' is one of the two that an assistant stands between")
            continue
        try:
            spec = parse_student(name)
        except UserError as error:
            problems += [f"assistants: {problem}" for problem in error.problems]
            continue
        if not isinstance(spec, Cut | Build):
            continue  # its depth shows when it is opened, and the recipe judges it then
        if not student <= spec.layers <= above:
            whose = "the teacher" if above == teacher else "the one before it"
            problems.append(
                f"assistants: '{name}' has {spec.layers} layers; allowed: {student} (the student) to {above} ({whose})"
            )
        above = min(above, max(spec.layers, student))
    if problems:
        raise UserError(*problems)
    return names


METHOD = Method(
    name="takd",
    title="teacher-assistant distillation: networks of sizes between pass the knowledge down",
    paper="Mirzadeh, Farajtabar, Li, Levine, Matsukawa & Ghasemzadeh 2020, Improved Knowledge Distillation via Teacher "
    "Assistant",
    parameters=TAKDParameters,
    recipe=recipe,
    chain=chain,
)
