"""The words of the built-in sample: a little world in which synonyms and opposites have to be learnt."""

from __future__ import annotations

# Each dimension has two sides; all words of one side mean the same here. The first word of a side is its plain name.
DIMENSIONS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("small", "tiny", "little"), ("large", "big", "huge")),
    (("cold", "cool", "chilly"), ("hot", "warm", "heated")),
    (("quiet", "silent", "calm"), ("loud", "noisy", "rowdy")),
    (("cheap", "affordable", "free"), ("expensive", "costly", "pricey")),
    (("old", "ancient", "dated"), ("new", "modern", "recent")),
    (("empty", "deserted", "vacant"), ("full", "crowded", "packed")),
)
NOT = "not"

THINGS = (
    *("kitchen", "garden", "harbour", "library", "market", "station", "museum", "theatre", "bridge", "tower"),
    *("hotel", "cafe", "school", "office", "stadium", "castle", "temple", "tunnel", "ferry", "train"),
)
OTHER_THINGS = ("studio", "cellar", "attic", "balcony", "courtyard", "workshop", "bakery", "clinic", "lobby", "terrace")

FILM_PARTS = (
    *("plot", "acting", "music", "ending", "script", "pacing", "dialogue", "camera", "cast", "humour"),
    *("lighting", "editing", "story", "direction"),
)
GOOD = (
    *("wonderful", "moving", "clever", "charming", "superb", "gripping", "fresh", "witty", "elegant", "vivid"),
    *("tender", "brilliant", "graceful", "inspired", "delightful", "lively"),
)
BAD = (
    *("dull", "clumsy", "tedious", "shallow", "awful", "bland", "lazy", "stale", "hollow", "grim"),
    *("messy", "flat", "forced", "silly", "weak", "dreary"),
)
NEGATORS = (NOT, "hardly", "never")
MILD = ("slightly", "somewhat", "mildly")

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
    words = {"the", "is", "and", "but", "it", "?", ".", ","}
    words.update(word for dimension in DIMENSIONS for side in dimension for word in side)
    words.update(word for forms in (*NOUNS, *DEEDS, *DETERMINERS) for word in forms)
    words.update(THINGS, OTHER_THINGS, FILM_PARTS, GOOD, BAD, NEGATORS, MILD, RELATIONS, MANNERS)
    return sorted(words)
