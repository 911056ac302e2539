"""Every method by name. A new one is a file beside these and a line here."""

from raykd.errors import UserError, unknown
from raykd.methods import (
    alp_kd,
    annealing_kd,
    born_again,
    ckd,
    ckd_combinatorial,
    combined_kd,
    crd,
    distilbert,
    fsd,
    kd,
    lrc_bert,
    mate_kd,
    minilm,
    minimax_knn,
    mix,
    none,
    pd,
    pkd,
    rkd,
    similarity,
    takd,
    teacher_free,
    tinybert,
    tkd,
)
from raykd.methods.method import Method

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        none.METHOD,
        kd.METHOD,
        ckd.METHOD,
        *fsd.METHODS,
        pd.METHOD,
        pkd.METHOD,
        distilbert.METHOD,
        tinybert.METHOD,
        *minilm.METHODS,
        rkd.METHOD,
        *similarity.METHODS,
        crd.METHOD,
        *tkd.METHODS,
        lrc_bert.METHOD,
        alp_kd.METHOD,
        ckd_combinatorial.METHOD,
        annealing_kd.METHOD,
        mate_kd.METHOD,
        combined_kd.METHOD,
        minimax_knn.METHOD,
        takd.METHOD,
        *teacher_free.METHODS,
        born_again.METHOD,
        mix.METHOD,
    )
}


def find(name: str) -> Method:
    """The method called `name`; UserError with the nearest name if there is none."""
    if name not in METHODS:
        raise UserError(unknown("method", name, METHODS))
    return METHODS[name]
