"""The words of the built-in sample, chosen so that synonyms and opposites have to be learnt. About 300 in all."""

from __future__ import annotations

# Each dimension is a pair of opposites; words of one side mean the same in the sample's little world.
DIMENSIONS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("small", "tiny", "little"), ("large", "big", "huge")),
    (("cold", "cool", "chilly"), ("hot", "warm", "heated")),
    (("quiet", "silent", "calm"), ("loud", "noisy", "rowdy")),
    (("slow", "sluggish", "late"), ("fast", "quick", "prompt")),
    (("cheap", "affordable", "free"), ("expensive", "costly", "pricey")),
    (("dirty", "filthy", "messy"), ("clean", "spotless", "tidy")),
    (("old", "ancient", "dated"), ("new", "modern", "recent")),
    (("dark", "dim", "gloomy"), ("bright", "sunny", "lit")),
    (("empty", "deserted", "vacant"), ("full", "crowded", "packed")),
    (("risky", "unsafe", "dangerous"), ("safe", "secure", "protected")),
)

# Names of the dimensions, in the order above, for questions ("what is the noise of the hall ?").
ASPECTS = ("size", "warmth", "noise", "speed", "price", "state", "age", "light", "demand", "danger")

THINGS = (
    *("kitchen", "garden", "harbour", "library", "market", "station", "museum", "theatre", "bridge", "tower"),
    *("hotel", "cafe", "school", "office", "stadium", "castle", "temple", "tunnel", "ferry", "train"),
    *("studio", "cellar", "attic", "balcony", "courtyard", "workshop", "bakery", "clinic", "lobby", "terrace"),
)

VERBS = ("is", "was", "seems", "looks", "stays")
NEGATORS = ("not", "hardly", "never")
JOINTS = (", and", ", while", ", whereas", ";")
OPENERS = ("in spring ,", "this week ,", "as locals say ,", "today ,", "on paper ,", "by all accounts ,")

ASPECTS_OF_FILMS = (
    *("plot", "acting", "music", "ending", "script", "pacing", "dialogue", "camera", "cast", "humour"),
    *("lighting", "editing", "story", "direction", "costumes", "premise"),
)
GOOD = (
    *("wonderful", "moving", "clever", "charming", "superb", "gripping", "fresh", "warm", "witty", "elegant"),
    *("vivid", "tender", "brilliant", "graceful", "inspired", "delightful", "sharp", "rich", "lively", "honest"),
)
BAD = (
    *("dull", "clumsy", "tedious", "shallow", "awful", "bland", "lazy", "noisy", "stale", "hollow"),
    *("grim", "messy", "flat", "forced", "silly", "tired", "weak", "cold", "muddled", "dreary"),
)
STRONG = ("very", "truly", "deeply")
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
DETERMINERS = (("this", "these"), ("that", "those"), ("one", "many"), ("every", "several"))
RELATIONS = ("near", "behind", "beside", "without", "above")
MANNERS = ("often", "quietly", "gladly", "rarely", "together", "outside")
