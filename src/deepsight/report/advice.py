"""What to do about each finding, in a sentence or two read off the stored table."""

from deepsight.core.evidence import Table
from deepsight.report.formatting import points_text, value_text
from deepsight.report.summary import enumerate_words

NAMED = 3
UNEVEN = 1.5  # largest class over smallest; below it weights change little

# Advice that does not depend on the numbers.
PROVENANCE = "Quote the digests with the score. Equal digests mean equal data."
APPEARANCE = (
    "Look for what the images of a class share besides the object, such as sky, grass or road. A model may "
    "learn that instead; the background test below checks whether this one did."
)
EMBEDDING = (
    "Classes that overlap here tend to be confused after training too. Compare with the confusion matrix to "
    "see which ones training pulled apart."
)
REGISTERED = "The verdicts are under iNterpret. Anything found later counts as a new hypothesis."
TRAINING = (
    "If validation still improves in the last epoch, allow more minutes (--minutes). If the validation loss "
    "rises while the training loss falls, fix the overfitting before training longer."
)
ATTRIBUTION = (
    "Use the maps to choose images for review. They cannot clear a model, and they do not show exactly which "
    "pixels were used: each cell sees far beyond itself."
)
ERRORS = "Start with the most confident errors: they expose wrong labels and spurious cues."
LEDGER = (
    "Start with the largest cause that you can act on. Correct labels before you collect images, and collect "
    "images before you pay for a larger model."
)
LABEL_ERRORS = (
    "Decide on each candidate and export your decisions. A high score means that the label is almost "
    "certainly wrong. Images that people would disagree about are a separate finding."
)
AMBIGUITY = "Do not relabel these. Collect several opinions on each, or let the model abstain."
DEGRADATION = "If a curve falls early, add that corruption to the augmentation or reject such input."


def split_checks_advice(table: Table) -> str:
    """Whether a score may be quoted."""
    if "passed" not in table.frame.columns or table.frame["passed"].fill_null(True).all():
        return "Nothing. As far as these checks go, the validation and test scores can be trusted."
    return "Do not quote a score yet. Fix the splits (deepsight scrub) and run the study again."


def duplicates_advice(table: Table) -> str:
    """Which score to quote."""
    if not table.frame["flagged"].any():
        return "Nothing: no near-duplicates were found."
    return (
        "Quote the score without leaked near-duplicates next to the official one. By default the training "
        "copy is dropped; the test set is never changed."
    )


def interpolation_advice(table: Table) -> str:
    """The filter to keep."""
    chosen = table.frame.filter("chosen")
    if chosen.is_empty():
        return "Keep bicubic, the default: no filter was shown to be better."
    row = chosen.row(0, named=True)
    return f"Keep {row['method']}{' with antialiasing' if row['antialias'] else ''}: this run uses it."


def balance_advice(table: Table) -> str:
    """Whether classes need weights."""
    train = table.frame.filter(split="train")["share"].to_list()
    if train and max(train) > UNEVEN * min(train):
        return "Read recall and F1 class by class, and try a weighted loss (deepsight treat)."
    return "Nothing: the classes are nearly the same size, so they need no weights."


def confusion_advice(table: Table) -> str:
    """The cells to open."""
    wrong = table.frame.filter(table.frame["true"] != table.frame["predicted"])
    worst = wrong.filter(wrong["count"] > 0).sort("count", descending=True).head(NAMED)
    if worst.is_empty():
        return "Nothing: the model made no errors."
    names = [f"{row['true']} → {row['predicted']}" for row in worst.to_dicts()]
    return f"Open the cells {enumerate_words(names)}, and look for what their images have in common."


def confusion_pairs_advice(table: Table) -> str:
    """The pairs to mine."""
    flagged = table.frame.filter("flagged").sort("count", descending=True).head(NAMED)
    if flagged.is_empty():
        return "Nothing for a single pair: no confusion is more frequent than chance explains."
    names = [f"{row['true']} → {row['predicted']}" for row in flagged.to_dicts()]
    return f"Mine hard examples of {enumerate_words(names)} (deepsight treat)."


def recall_advice(table: Table) -> str:
    """The classes to collect images of."""
    frame = table.frame
    mean = float((frame["n"] * frame["recall"]).sum() / max(int(frame["n"].sum()), 1))
    weak = frame.filter(frame["ci_high"] < mean).sort("recall").head(NAMED)["class"].to_list()
    if not weak:
        return (
            "No class is surely below the mean recall: collect images of all, or more test images to see one."
        )
    return f"Surely below the mean recall: {enumerate_words(weak)}. Collect or mine examples of these first."


def hypotheses_advice(table: Table) -> str:
    """Which expectations to act on."""
    rows = table.frame.to_dicts()
    foreseen = [row for row in rows if row.get("registered", True)]
    undecided = sum(row["verdict"] == "undecided" for row in foreseen)
    said = "Act on the supported ones"
    if undecided:
        said += f"; this many images could not decide {undecided} of {len(foreseen)}"
    if len(foreseen) < len(rows):
        said += f"; {len(rows) - len(foreseen)} came up afterwards, so register them before the next study"
    return f"{said}."


def calibration_advice(table: Table) -> str:
    """How to read the confidence."""
    rows = table.frame.filter(table.frame["n"] > 0)
    over = (rows["n"] * (rows["confidence"] - rows["accuracy"])).sum() if len(rows) else 0
    lean = "overconfident" if over > 0 else "underconfident"
    return (
        f"Overall the model is {lean}. Before you set a threshold on confidence, divide the logits by the "
        "temperature that was fitted on validation."
    )


def slices_advice(table: Table) -> str:
    """The images to collect."""
    confirmed = table.frame.filter(table.frame["confirmed"].fill_null(False))
    if confirmed.is_empty():
        return "Nothing: no slice was confirmed on held-out images."
    first = confirmed.sort("effect", descending=True)["description"][0]
    return f"Collect or mine more images of the confirmed slices, starting with: {first}."


def faithfulness_advice(table: Table) -> str:
    """How far the maps carry."""
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
        return f"Look at {enumerate_words(low)}: there the evidence favours the background."
    return "Nothing from the maps alone: in no class does the evidence clearly favour the background."


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


def prescription_advice(table: Table) -> str:
    """How to confirm the prescription."""
    said = "Try the first few against a control (deepsight treat)."
    return said if table.units["cause"] == "lever" else f"{said} Each gain is an upper bound."


def levers_advice(table: Table) -> str:
    """The levers to pull."""
    helps = table.frame.filter(verdict="helps").sort("net", descending=True).head(NAMED)
    if helps.is_empty():
        return "Nothing yet: no lever was shown to mend more than it breaks. More minutes try more levers."
    return " ".join(helps["advice"].to_list())


def ledger_change_advice(table: Table) -> str:
    """What to treat next."""
    rows = table.frame.filter(table.frame["n_after"] > 0).sort("n_after", descending=True)
    if rows.is_empty():
        return "Nothing: no errors are left."
    return f"Work on “{rows['cause'][0]}” next: of the causes left it has most errors."


def treatments_advice(table: Table) -> str:
    """The treatment to adopt."""
    helps = table.frame.filter(verdict="helps").sort("delta_macro_f1", descending=True)
    if helps.is_empty():
        return "Keep the control: with this many seeds no treatment was shown to help."
    row = helps.row(0, named=True)
    gain = points_text(row["delta_macro_f1"])
    return f"Adopt {value_text(row['name'])}: {gain} points of macro-F1 over the control."
