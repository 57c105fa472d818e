"""What to do about each finding: a sentence or two, from the stored table alone."""

from deepsight.core.evidence import Table
from deepsight.report.formatting import value
from deepsight.report.numbers import points
from deepsight.report.summary import enumerate_words

NAMED = 3
UNEVEN = 1.5  # largest class over smallest; below it weights change little

# What does not depend on the figures.
PROVENANCE = "Quote the digests with the score: whoever has the same digests has the same data."
APPEARANCE = (
    "Look for what a class shares besides its object, such as sky, grass or road: a model may learn that. "
    "The context test below asks whether it did."
)
EMBEDDING = (
    "Classes that overlap here are confused after training too, unless training pulls them apart: "
    "compare with the confusion matrix."
)
REGISTERED = "Read the verdicts under iNterpret; what is found later counts as a new hypothesis."
TRAINING = (
    "Where validation still improves at the last epoch, give it more minutes (--minutes). Where its loss "
    "rises while that of training falls, treat before you train longer."
)
ATTRIBUTION = (
    "Maps rank images for your review; they cannot clear a model. The place in a map is not the place of the "
    "pixels used: a cell sees far around itself."
)
PRESCRIPTION = "Run the first ones against a control (deepsight treat); the gain is an upper bound."
ERRORS = "Look at the most confident errors first: there wrong labels and false cues show themselves."
LEDGER = (
    "Start with the largest cause that you can act on: correct labels before you collect images, "
    "and treat confusable pairs before you buy a deeper model."
)
LABEL_ERRORS = (
    "Decide on each candidate and export your decisions. A high score means surely wrong, "
    "which is another finding than an image that people would argue about."
)
AMBIGUITY = "Do not relabel these: collect several judgements, or allow the model to abstain."
DEGRADATION = "Where the curve falls early, add that degradation to the augmentation, or refuse such input."


def split_checks(table: Table) -> str:
    """Whether a score may be quoted."""
    if "passed" not in table.frame.columns or table.frame["passed"].fill_null(True).all():
        return "Nothing: scores on validation and test can be trusted as far as these checks reach."
    return "Do not quote a score yet: mend the splits (deepsight scrub) and run the study again."


def duplicates(table: Table) -> str:
    """Which score to quote."""
    if not table.frame["flagged"].any():
        return "Nothing: no image was found twice."
    return (
        "Quote the score without leaked twins beside the official one. The training twin is dropped "
        "by default; the test set is never touched."
    )


def interpolation(table: Table) -> str:
    """The filter to keep."""
    chosen = table.frame.filter("chosen")
    if chosen.is_empty():
        return "Keep bicubic, the default: no filter was shown to be better."
    row = chosen.row(0, named=True)
    return f"Keep {row['method']}{' with antialiasing' if row['antialias'] else ''}: this run uses it."


def balance(table: Table) -> str:
    """Whether weights are called for."""
    train = table.frame.filter(split="train")["share"].to_list()
    if train and max(train) > UNEVEN * min(train):
        return "Read recall and F1 class by class, and try the weighted loss: deepsight treat."
    return "Nothing: the classes are close to equal, so no weighting is called for."


def confusion(table: Table) -> str:
    """The cells to open."""
    wrong = table.frame.filter(table.frame["true"] != table.frame["predicted"])
    worst = wrong.filter(wrong["count"] > 0).sort("count", descending=True).head(NAMED)
    if worst.is_empty():
        return "Nothing: no image is confused."
    names = [f"{row['true']} → {row['predicted']}" for row in worst.to_dicts()]
    return f"Open the cells {enumerate_words(names)}, and see what their images have in common."


def confusion_pairs(table: Table) -> str:
    """The pairs to mine."""
    flagged = table.frame.filter("flagged").sort("count", descending=True).head(NAMED)
    if flagged.is_empty():
        return "Nothing aimed at a pair: the confusions are spread as chance would spread them."
    names = [f"{row['true']} → {row['predicted']}" for row in flagged.to_dicts()]
    return f"Mine hard examples of {enumerate_words(names)}: deepsight treat."


def recall(table: Table) -> str:
    """The classes to collect."""
    weak = table.frame.sort("recall").head(NAMED)["class"].to_list()
    return f"The weakest classes are {enumerate_words(weak)}: collect or mine examples of these first."


def hypotheses(table: Table) -> str:
    """Which expectations to act on."""
    rows = table.frame.to_dicts()
    foreseen = [row for row in rows if row.get("registered", True)]
    undecided = sum(row["verdict"] == "undecided" for row in foreseen)
    said = "Act on those that are supported"
    if undecided:
        said += f"; {undecided} of {len(foreseen)} could not be decided with this many images"
    if len(foreseen) < len(rows):
        said += f"; {len(rows) - len(foreseen)} were not foreseen, so register them before the next study"
    return f"{said}."


def calibration(table: Table) -> str:
    """How to read the confidence."""
    rows = table.frame.filter(table.frame["n"] > 0)
    over = (rows["n"] * (rows["confidence"] - rows["accuracy"])).sum() if len(rows) else 0
    lean = "more" if over > 0 else "less"
    return (
        f"On the whole it is {lean} sure than it is right. Before you set a threshold on confidence, "
        "divide the logits by the temperature that was fitted on validation."
    )


def slices(table: Table) -> str:
    """The images to collect."""
    confirmed = table.frame.filter(table.frame["confirmed"].fill_null(False))
    if confirmed.is_empty():
        return "Nothing: no slice was confirmed on images that it was not found on."
    first = confirmed.sort("effect", descending=True)["description"][0]
    return f"Collect or mine more images of the confirmed slices, above all: {first}."


def faithfulness(table: Table) -> str:
    """How far the maps carry."""
    if table.frame["passed"].eq(False).any():
        return "Do not argue from these maps: a family that fails a check is refused in this report."
    return "Read the maps for groups of images; do not argue from a single one."


def object_share(table: Table) -> str:
    """The classes to look at."""
    rows = table.frame.filter(table.frame["class"] != "all")
    low = rows.filter(rows["ci_high"] < rows["object_area"])["class"].to_list()
    if low:
        return f"Look at {enumerate_words(low)}: the evidence prefers the background there."
    return "Nothing from the maps alone: in no class does the evidence surely prefer the background."


def context(table: Table) -> str:
    """Whether to vary the backgrounds."""
    swaps = table.frame.filter(test="swap")
    biased = [name for name in swaps.filter(verdict="BIASED")["class"].to_list() if name != "all"]
    if biased:
        return f"Vary the backgrounds of {enumerate_words(biased)} in training (CutMix), and test again."
    if swaps["verdict"].eq("BIASED").any():
        return "Vary the backgrounds in training (CutMix), and test again."
    if swaps["verdict"].eq("CLEAR").any():
        return "Nothing where the verdict is CLEAR; where it is INCONCLUSIVE, more images would decide it."
    return "No verdict yet: examine more images, since these could show only larger effects."


def ledger_change(table: Table) -> str:
    """What to treat next."""
    rows = table.frame.filter(table.frame["n_after"] > 0).sort("n_after", descending=True)
    if rows.is_empty():
        return "Nothing: no error is left."
    return f"Treat the cause “{rows['cause'][0]}” next: it is the largest that is left."


def treatments(table: Table) -> str:
    """The treatment to adopt."""
    helps = table.frame.filter(verdict="helps").sort("delta_macro_f1", descending=True)
    if helps.is_empty():
        return "Keep the control: no treatment was shown to help with this many seeds."
    row = helps.row(0, named=True)
    return f"Adopt {value(row['name'])}: {points(row['delta_macro_f1'])} points of macro-F1 over the control."
