"""What to do about each finding: one or two sentences that depend on the stored table."""

import numpy as np

from deepsight.core.evidence import Table
from deepsight.core.statistics.significance import below_rest_p, holm
from deepsight.interpret.levers.outcome import PLACEBO
from deepsight.report.formatting import points_text, value_text
from deepsight.report.summary import enumerate_words

NAMED = 3
LEVEL = 0.05  # significance level of the tests behind a sentence
UNEVEN = 1.5  # largest class over smallest; below this, class weights change little

# Advice that does not depend on the numbers.
PROVENANCE = "Quote the digests with the score. Equal digests mean equal data."
APPEARANCE = (
    "Look for what the images of a class share besides the object, such as sky, grass or road. A model may "
    "learn that instead; the background test below checks whether this one did."
)
EMBEDDING = (
    "Compare with the confusion matrix: it shows which of the classes that overlap here are confused after "
    "training, and which ones training pulled apart."
)
REGISTERED = "The verdicts are under iNterpret. Anything found later counts as a new hypothesis."
TRAINING = (
    "If validation still improves in the last epoch, allow more minutes (`--minutes`). If the validation "
    "loss rises while the training loss falls, fix the overfitting before training longer."
)
METHODS = (
    "Nothing: this only chooses a method. Checks on other images, below, decide whether its maps can be "
    "trusted."
)
ATTRIBUTION = (
    "Use the maps to choose images for review. They cannot clear a model, and they do not show exactly which "
    "pixels were used: each cell sees far beyond itself."
)
ERRORS = "Look at confident errors first, for wrong labels and for cues outside the object."
LEDGER = (
    "Start with a cause that you can act on. Where two intervals overlap, these images may not tell which "
    "share is larger. Correct labels before you collect images, and collect images before you pay for a "
    "larger model."
)
DECIDE_LABELS = (
    "Decide on each candidate and export your decisions. The score is an estimate, not a proof: your "
    "decisions show how often it is right. Images that people would disagree about are a separate finding."
)
RISK_COVERAGE = (
    "Choose the accuracy that you need, and let a person look at what is rejected: "
    "`deepsight predict RUN new --out predictions.csv --reject-below THRESHOLD`. Images unlike the training "
    "images are rejected too, whatever their confidence."
)
AMBIGUITY = "Do not relabel these. Let several people label each, or let the model abstain."
DEGRADATION = "If a curve falls early, add that corruption to the augmentation or reject such input."


def split_checks_advice(table: Table) -> str:
    """Whether a score may be quoted."""
    if "passed" not in table.frame.columns or table.frame["passed"].fill_null(True).all():
        return "Nothing. As far as these checks go, the validation and test scores can be trusted."
    return "Do not quote a score yet. Fix the splits (`deepsight scrub`) and run the study again."


def duplicates_advice(table: Table) -> str:
    """Which score to quote if there are near-duplicates."""
    if not table.frame["flagged"].any():
        return "Nothing: no near-duplicates were found."
    return (
        "Quote the score on all test images, and say whether training copies were dropped: a model trained "
        "with the copies may profit from them. The score without known near-duplicates covers other images, "
        "easier or harder ones, so it does not measure leakage; `deepsight treat` does."
    )


def interpolation_advice(table: Table) -> str:
    """Which resampling filter to keep."""
    chosen = table.frame.filter("chosen")
    if chosen.is_empty():
        return "Keep bicubic, the default: no filter was shown to be better."
    row = chosen.row(0, named=True)
    return f"Keep {row['method']}{' with antialiasing' if row['antialias'] else ''}: this run uses it."


def balance_advice(table: Table) -> str:
    """Whether classes need weights."""
    train = table.frame.filter(split="train")["share"].to_list()
    if train and max(train) > UNEVEN * min(train):
        return "Read recall and F1 class by class, and try a weighted loss (`deepsight treat`)."
    return f"Nothing: {similar_sizes()}, so they need no weights."


def similar_sizes() -> str:
    """A clause that says how far the sizes of the classes differ at most."""
    return f"no class has more than {UNEVEN:g} times the images of another"


def confusion_advice(table: Table) -> str:
    """The cells of the matrix to open."""
    wrong = table.frame.filter(table.frame["true"] != table.frame["predicted"])
    worst = wrong.filter(wrong["count"] > 0).sort("count", descending=True).head(NAMED)
    if worst.is_empty():
        return "Nothing: the model made no errors."
    names = [f"{row['true']} → {row['predicted']}" for row in worst.to_dicts()]
    return f"Open the cells {enumerate_words(names)}, and look for what their images have in common."


def confusion_pairs_advice(table: Table) -> str:
    """The confused pairs to mine hard examples of."""
    flagged = table.frame.filter("flagged").sort("count", descending=True).head(NAMED)
    if flagged.is_empty():
        return "Nothing: no pair of classes is confused more often than chance explains."
    names = [f"{row['true']} → {row['predicted']}" for row in flagged.to_dicts()]
    return f"Mine hard examples of {enumerate_words(names)} (`deepsight treat`)."


def recall_advice(table: Table) -> str:
    """The classes to collect images of."""
    frame = table.frame
    found = holm(below_rest_p((frame["n"] * frame["recall"]).to_numpy(), frame["n"].to_numpy())) <= LEVEL
    weak = frame.filter(found).sort("recall").head(NAMED)["class"].to_list()
    if not weak:
        return (
            "No class is shown to have a lower recall than the others. Collect images of all classes, or "
            "more test images to find a weaker one."
        )
    return (
        f"Recall is below that of the other classes for {enumerate_words(weak)} (Holm over all classes, "
        "5 %). Collect or mine examples of these first."
    )


def hypotheses_advice(table: Table) -> str:
    """Which hypotheses to act on."""
    rows = table.frame.to_dicts()
    foreseen = [row for row in rows if row.get("registered", True)]
    undecided = sum(row["verdict"] == "undecided" for row in foreseen)
    supported = any(row["verdict"] == "supported" for row in foreseen)
    said = "Act on the supported ones" if supported else "None was supported"
    if undecided:
        said += f"; this many images could not decide {undecided} of {len(foreseen)}"
    if len(foreseen) < len(rows):
        said += f"; {len(rows) - len(foreseen)} came up afterwards, so register them before the next study"
    return f"{said}."


def calibration_advice(table: Table) -> str:
    """How to read the confidence."""
    rows = table.frame.filter(table.frame["n"] > 0)
    n, confidence, accuracy = (rows[name].to_numpy() for name in ("n", "confidence", "accuracy"))
    over, error = (n * (confidence - accuracy)).sum(), np.sqrt((n * confidence * (1 - confidence)).sum())
    lean = "overconfident" if over > 0 else "underconfident"
    said = (
        f"Overall the model is {lean}: its mean confidence and its accuracy differ by more than chance."
        if abs(over) > 1.96 * error
        else "Mean confidence and accuracy are not shown to differ."
    )
    return (
        f"{said} Before you set a threshold on confidence, divide the logits by the temperature that was "
        "fitted on validation."
    )


def label_errors_advice(table: Table) -> str:
    """Whether there are labels to decide about."""
    if table.frame["flagged"].any():
        return DECIDE_LABELS
    return (
        "Nothing: no label stands out. If wrong labels are costly, look at those with the highest scores in "
        "the table."
    )


def slices_advice(table: Table) -> str:
    """The slices to collect images of."""
    confirmed = table.frame.filter(table.frame["confirmed"].fill_null(False))
    if confirmed.is_empty():
        return "Nothing: no slice was confirmed on held-out images."
    names = confirmed.sort("effect", descending=True)["description"].head(NAMED).to_list()
    return f"Collect or mine more images of the confirmed slices: {'; '.join(names)}."


def outliers_advice(table: Table) -> str:
    """What to do about outliers."""
    if table.frame.is_empty():
        return "Nothing: no test image is far from the training images."
    return (
        "Look at each. Remove what does not belong to the task, and collect training images like those that "
        "do."
    )


def faithfulness_advice(table: Table) -> str:
    """Whether and how to read the maps."""
    if table.frame["passed"].eq(False).any():
        return (
            "Do not draw conclusions from these maps: they failed a check, so this report does not show them."
        )
    return "Read the maps for groups of images, never for a single one."


def object_share_advice(table: Table) -> str:
    """The classes to look at."""
    rows = table.frame.filter(table.frame["class"] != "all")
    low = rows.filter(rows["ci_high"] < rows["object_area"])["class"].to_list()
    if low:
        return (
            f"Look at {enumerate_words(low)}: less evidence lies on the object than on a random area of "
            "the same size (control; each class at 95 %)."
        )
    return (
        "Nothing from the maps alone: in no class does less evidence lie on the object than on a random "
        "area of the same size (control)."
    )


def background_advice(table: Table) -> str:
    """Whether to vary the backgrounds."""
    swaps = table.frame.filter(test="swap")
    biased = [name for name in swaps.filter(verdict="BIASED")["class"].to_list() if name != "all"]
    if biased:
        return f"Vary the backgrounds of {enumerate_words(biased)} in training (CutMix) and test again."
    if swaps["verdict"].eq("BIASED").any():
        return "Vary the backgrounds in training (CutMix) and test again."
    if swaps["verdict"].eq("CLEAR").any():
        return "Nothing where the verdict is CLEAR. Where it is INCONCLUSIVE, examine more images."
    return "No verdict yet. Examine more images: these could only reveal larger effects."


def compared_with_advice(table: Table) -> str:
    """Which data to keep."""
    if table.frame.is_empty():
        return "No image could be compared. Give `--compare-with` a run on the same images."
    row = table.frame.row(0, named=True)
    if row["ci_low"] > 0:
        return "Keep the cleaned data, and quote both scores if labels of test images changed."
    if row["ci_high"] < 0:
        return "Review the decisions before you keep the cleaned data: the score fell."
    detectable = points_text(row["minimum_detectable"]).lstrip("+")
    return (
        "Keep the cleaned data if you trust the decisions. The score does not decide: these test images "
        f"reliably show only differences of {detectable} points or more."
    )


def prescription_advice(table: Table) -> str:
    """How to confirm the prescription."""
    said = "Try the first few against a control (`deepsight treat`)."
    return said if table.units["cause"] == "lever" else f"{said} Each gain is an upper bound."


def levers_advice(table: Table) -> str:
    """Which levers to use; a placebo is none."""
    tried = table.frame.filter(table.frame["group"] != PLACEBO)
    helps = tried.filter(verdict="helps").sort("net", descending=True).head(NAMED)
    if helps.is_empty():
        return "Nothing yet: no lever was shown to fix more than it breaks. More minutes try more levers."
    return " ".join([*helps["advice"].to_list(), *placebo_doubt(table)])


def placebo_doubt(table: Table) -> list[str]:
    """A sentence of caution if a placebo, which should do nothing, shows a gain."""
    moved = table.frame.filter(group=PLACEBO, verdict="helps")["net"].to_list()
    gains = f"+{100 * max(moved):.0f} points" if moved else ""
    return [f"A placebo shows a gain too ({gains}), so doubt gains of this size."] if moved else []


def ledger_change_advice(table: Table) -> str:
    """What to treat next."""
    rows = table.frame.filter(table.frame["n_after"] > 0).sort("n_after", descending=True)
    if rows.is_empty():
        return "Nothing: no errors are left."
    left = [f"{row['n_after']} of “{row['cause']}”" for row in rows.head(NAMED).to_dicts()]
    return f"Errors left: {enumerate_words(left)}. Work on a cause that you can act on next."


def treatments_advice(table: Table) -> str:
    """The treatment to adopt."""
    helps = table.frame.filter(verdict="helps").sort("delta_macro_f1", descending=True)
    if helps.is_empty():
        return "Keep the control: with this many seeds no treatment was shown to help."
    gains = [
        f"{value_text(row['name'])} ({points_text(row['delta_macro_f1'])} points of macro-F1)"
        for row in helps.head(NAMED).to_dicts()
    ]
    several = " Which of them helps more was not tested." if len(helps) > 1 else ""
    return (
        f"Adopt {enumerate_words(gains)}, shown to help against the control on validation.{several} Quote "
        "the gain on test: on validation the treatment was chosen for its gain, which is therefore too "
        "large on average."
    )
