"""The outline of the report of an audit: the questions about the data, and advice on each finding."""

from collections.abc import Callable

from deepsight.core.evidence import Table
from deepsight.report import advice
from deepsight.report.figures import audit as figures
from deepsight.report.figures import explore
from deepsight.report.sections import Entry, Stage
from deepsight.report.summary import enumerate_words

COMMAND = "audit"
PROVENANCE = "Quote the digests with the findings. Equal digests mean equal data."
UNREADABLE = "Replace or remove these files. A study also leaves them out."
ISSUES = (
    "Look at each kind. Remove images that nobody could classify. Keep those that the model will meet in "
    "use, also in the test set."
)
OUTLIERS = "Remove images that do not belong to the task. Collect more of those that do but are rare."
CONFLICTS = "Decide on one label for each pair: at least one is wrong, or the classes overlap."
GROUPS = (
    "Put all images of a group into one split: write the group of each file into a table and name its "
    "column, `--data table:FILE?group=COLUMN`."
)
MISNAMED = "Look at each: the name or the folder is wrong."
APPEARANCE = (
    "Look for what the images of a class share besides the object, such as sky, grass or road. A model may "
    "learn that instead; the report of a study tests whether it did."
)
PROPERTY_DRIFT = (
    "Find out what changed: the camera, the time, the file format. Test the model on labelled images of "
    "the new kind before you trust it there."
)
FEATURE_DRIFT = (
    "An area near 0.5 means that the model sees the same kind of images as in its test. If it is high and no "
    "property explains it, look at the unfamiliar images."
)
CLASS_DRIFT = (
    "Either the class frequencies have changed, or the model mistakes one class for another. Label a few "
    "images of the classes that grew: `deepsight label-next`."
)
FAMILIARITY = (
    "Reject unfamiliar images (`deepsight predict RUN new --out predictions.csv` does), and label some of "
    "them: `deepsight label-next`."
)


def where_found(said: str) -> Callable[[Table], str]:
    """Advice on the rows of a table, or on the flagged ones; without any there is nothing to do."""

    def advise(table: Table) -> str:
        flags = table.frame["flagged"] if "flagged" in table.frame.columns else None
        return said if (table.frame.height if flags is None else flags.any()) else "Nothing: there are none."

    return advise


def audited_copies_advice(table: Table) -> str:
    """What to do about duplicates."""
    if not table.frame["flagged"].any():
        return "Nothing: no copies were found."
    return "Keep one image of each cluster. If a cluster spans two splits, remove it from training."


def shortcuts_advice(table: Table) -> str:
    """Which attributes to balance over the classes."""
    found = table.frame.filter("flagged")["attribute"].to_list()
    if not found:
        return "Nothing: no attribute of the files was found to predict the class."
    traces = "a trace of it" if len(found) == 1 else "traces of them"
    return (
        f"Balance {enumerate_words(found)} over the classes, or collect new images: a model may learn "
        f"{traces} in the pixels. Also test on images in which the attribute is independent of the class."
    )


def audited_balance_advice(table: Table) -> str:
    """Whether the sizes of the classes in the first split differ much."""
    shares = table.frame.filter(split=table.frame["split"][0])["share"].to_list()
    if max(shares) > advice.UNEVEN * min(shares):
        return "Collect more images of the small classes, or read scores class by class."
    return f"Nothing: {advice.similar_sizes()}."


AUDIT_OUTLINE = (
    Stage("Files", COMMAND, (
        Entry("provenance", "What was audited?", "provenance", advise=PROVENANCE),
        Entry("unreadable", "Which files cannot be used?", advise=where_found(UNREADABLE)),
        Entry("shortcuts", "Do camera, time, format or name predict the class?", advise=shortcuts_advice),
        Entry("misnamed", "Which files are named after another class?", "image_list",
              advise=where_found(MISNAMED), optional=True),
    )),
    Stage("Pictures", COMMAND, (
        Entry("image_issues", "Which pictures are odd?", "image_list", advise=where_found(ISSUES),
              also=("image_issue_counts",), refused_as=("odd sizes",)),
        Entry("isolated_images", "Which pictures are unlike all others?", "image_list",
              advise=where_found(OUTLIERS)),
    )),
    Stage("Copies", COMMAND, (
        Entry("duplicates", "Which images appear twice?", "duplicates", advise=audited_copies_advice),
        Entry("conflicting_copies", "Which copies have two labels?", advise=where_found(CONFLICTS),
              optional=True),
        Entry("suggested_groups", "Which images belong together?", advise=where_found(GROUPS)),
    )),
    Stage("Labels", COMMAND, (
        Entry("balance", "Are the classes balanced?", "figure", explore.balance_figure,
              audited_balance_advice, optional=True),
        Entry("appearance", "What does each class look like?", "appearance", advise=APPEARANCE,
              also=("mean_images",), optional=True),
        Entry("label_errors", "Which labels may be wrong?", "label_errors", advise=advice.label_errors_advice,
              also=("label_error_summary",)),
    )),
    Stage("Drift", COMMAND, (
        Entry("familiarity", "Are the images familiar to the model?", advise=FAMILIARITY, optional=True),
        Entry("property_drift", "Do they look different?", "figure", figures.property_drift_figure,
              PROPERTY_DRIFT, optional=True),
        Entry("feature_drift", "Does the model see them as different?", "figure",
              figures.feature_drift_figure, FEATURE_DRIFT, optional=True),
        Entry("class_drift", "Has the mix of predicted classes changed?", "figure",
              figures.class_drift_figure, CLASS_DRIFT, optional=True),
    )),
)  # fmt: skip
