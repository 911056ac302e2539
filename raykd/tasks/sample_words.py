"""The words of the built-in sample: film reviews, verdicts on films, and people who do things."""

from __future__ import annotations

FILM_PARTS = (
    *("plot", "acting", "music", "ending", "script", "pacing", "dialogue", "camera", "cast", "humour"),
    *("lighting", "editing", "story", "direction"),
)
OTHER_PARTS = ("costumes", "scenery", "sound", "narration", "opening", "finale", "casting", "rhythm")
GOOD = (
    *("wonderful", "moving", "clever", "charming", "lovely", "gripping", "fresh", "witty", "elegant", "vivid"),
    *("tender", "brilliant", "graceful", "inspired", "delightful", "lively"),
)
BAD = (
    *("dull", "clumsy", "tedious", "shallow", "awful", "bland", "lazy", "stale", "hollow", "grim"),
    *("messy", "flat", "forced", "silly", "weak", "dreary"),
)
NEGATORS = ("not", "hardly", "never")
MILD = ("slightly", "somewhat", "mildly")

FILMS = ("film", "movie", "picture")
# From what a verdict demands of a film, least first.
VERDICTS = (
    ("bearable", "watchable", "passable"),
    ("good", "pleasant", "enjoyable"),
    ("superb", "excellent", "magnificent"),
)

# singular, plural
NOUNS = (
    *(("dog", "dogs"), ("cat", "cats"), ("child", "children"), ("teacher", "teachers"), ("farmer", "farmers")),
    *(("bird", "birds"), ("sailor", "sailors"), ("girl", "girls"), ("boy", "boys"), ("doctor", "doctors")),
    *(("painter", "painters"), ("baker", "bakers"), ("horse", "horses"), ("singer", "singers")),
)
DEEDS = (
    *(("runs", "run"), ("sleeps", "sleep"), ("sings", "sing"), ("waits", "wait"), ("laughs", "laugh")),
    *(("works", "work"), ("smiles", "smile"), ("travels", "travel"), ("listens", "listen"), ("rests", "rest")),
)
DETERMINERS = (("this", "these"), ("that", "those"), ("one", "many"))
RELATIONS = ("near", "behind", "beside", "without")
MANNERS = ("often", "quietly", "gladly", "rarely", "together", "outside")


def vocabulary() -> list[str]:
    """Every word that the sample can hold, sorted."""
    words = {"the", "is", "and", "but", "?"}
    words.update(word for forms in (*VERDICTS, *NOUNS, *DEEDS, *DETERMINERS) for word in forms)
    words.update(FILM_PARTS, OTHER_PARTS, GOOD, BAD, NEGATORS, MILD, FILMS, RELATIONS, MANNERS)
    return sorted(words)
