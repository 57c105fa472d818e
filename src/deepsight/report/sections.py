"""The order of the report: the stages of OSEMN, and the questions that each answers."""

from collections.abc import Callable
from dataclasses import dataclass

from deepsight.core.evidence import Table
from deepsight.report import advice
from deepsight.report.figures import attribution, explore, interpret, scrub, treat
from deepsight.report.figures.plot import Figure


@dataclass(frozen=True)
class Entry:
    """A question of the report.

    Attributes:
        name: the evidence table that answers it, and the address of the view.
        question: its heading.
        body: the template that shows it, without its ending.
        draw: the figure of the table, if it has one.
        advise: what to do about it, from the table or whatever it says.
        also: further tables shown below it.
        needs: columns without which the table is shown but not drawn.
        refused_as: names under which the table `not_examined` says that it could not be asked.
        optional: left out where its table is missing.
    """

    name: str
    question: str
    body: str = "table"
    draw: Callable[[Table], Figure] | None = None
    advise: Callable[[Table], str] | str = ""
    also: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    refused_as: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Stage:
    """A stage of the study: its name, the command that makes it, and its questions."""

    name: str
    command: str
    entries: tuple[Entry, ...]


OUTLINE = (
    Stage(
        "Obtain",
        "obtain",
        (
            Entry(
                "provenance", "Where do data and weights come from?", "provenance", advise=advice.PROVENANCE
            ),
        ),
    ),
    Stage(
        "Scrub",
        "scrub",
        (
            Entry(
                "split_checks",
                "Are the splits clean?",
                advise=advice.split_checks,
                also=("split_dropped",),
            ),
            Entry(
                "duplicates",
                "Which images appear twice?",
                "twins",
                advise=advice.duplicates,
            ),
            Entry(
                "interpolation",
                "Which interpolation keeps most?",
                "figure",
                scrub.interpolation,
                advice.interpolation,
            ),
        ),
    ),
    Stage(
        "Explore",
        "explore",
        (
            Entry("balance", "Are the classes balanced?", "figure", explore.balance, advice.balance),
            Entry(
                "appearance",
                "What does each class look like?",
                "appearance",
                advise=advice.APPEARANCE,
                also=("mean_images",),
            ),
            Entry(
                "embedding",
                "Which classes lie close before training?",
                "figure",
                explore.embedding,
                advice.EMBEDDING,
                needs=("class", "x", "y"),
            ),
            Entry("registered", "What was expected before training?", "registered", advise=advice.REGISTERED),
        ),
    ),
    Stage(
        "Model", "train", (Entry("training", "How did the training go?", "training", advise=advice.TRAINING),)
    ),
    Stage(
        "iNterpret",
        "interpret",
        (
            Entry("confusion", "Which classes are taken for which?", "confusion", advise=advice.confusion),
            Entry("errors", "Which images does it get wrong?", "errors", advise=advice.ERRORS),
            Entry(
                "ledger",
                "Why does it get them wrong?",
                "ledger",
                advise=advice.LEDGER,
                also=("ledger_shares",),
            ),
            Entry(
                "confusion_pairs",
                "Which confusions are more than chance?",
                "figure",
                interpret.confusion_pairs,
                advice.confusion_pairs,
                also=("confusion_clusters", "confusion_direction"),
            ),
            Entry("recall", "Which classes are hard?", "figure", interpret.recall, advice.recall),
            Entry("hypotheses", "Were the expectations right?", "hypotheses", advise=advice.hypotheses),
            Entry(
                "calibration",
                "Does its confidence mean what it says?",
                "figure",
                interpret.calibration,
                advice.calibration,
                also=("calibration_summary",),
            ),
            Entry(
                "label_errors",
                "Which labels may be wrong?",
                "label_errors",
                advise=advice.LABEL_ERRORS,
                also=("label_error_summary", "corrected_score"),
            ),
            Entry(
                "ambiguity", "Which images would people argue about?", "ambiguity", advise=advice.AMBIGUITY
            ),
            Entry(
                "degradation",
                "Does image quality decide?",
                "figure",
                interpret.degradation,
                advice.DEGRADATION,
                needs=("corruption", "severity", "class", "accuracy", "ci_low", "ci_high"),
                also=("degradation_summary", "image_quality"),
            ),
            Entry(
                "slices", "Where does it fail more than elsewhere?", "slices", interpret.slices, advice.slices
            ),
            Entry(
                "attribution",
                "Where does it look?",
                "maps",
                advise=advice.ATTRIBUTION,
                refused_as=("maps",),
            ),
            Entry(
                "attribution_classes",
                "Does the evidence lie on the object?",
                "figure",
                attribution.object_share,
                advice.object_share,
                optional=True,
                needs=("class", "object_share", "ci_low", "ci_high", "object_area"),
            ),
            Entry(
                "faithfulness",
                "Can the maps be believed?",
                "figure",
                attribution.faithfulness,
                advice.faithfulness,
                refused_as=("maps",),
            ),
            Entry(
                "context",
                "Object or background?",
                "context",
                attribution.context,
                advice.context,
                also=("masks", "background_errors"),
            ),
        ),
    ),
    Stage(
        "Treat",
        "treat",
        (
            Entry("prescription", "What should be tried?", "prescription", advise=advice.PRESCRIPTION),
            Entry(
                "treatments",
                "What helps?",
                "treatments",
                treat.treatments,
                advice.treatments,
                also=("treatment_test", "treatment_arms", "treatment_classes"),
            ),
            Entry(
                "ledger_change",
                "Which errors did the best treatment mend?",
                "figure",
                treat.ledger_change,
                advice.ledger_change,
                optional=True,
                needs=("cause", "n", "n_after"),
            ),
        ),
    ),
)
