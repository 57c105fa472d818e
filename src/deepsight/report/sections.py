"""The outline of the report: the stages of OSEMN and the questions that each answers."""

from collections.abc import Callable
from dataclasses import dataclass

from deepsight.core.evidence import Table
from deepsight.report import advice
from deepsight.report.figures import attribution, explore, interpret, levers, model_setup, scrub, treat
from deepsight.report.figures.plot import Figure


@dataclass(frozen=True)
class Entry:
    """A question of the report.

    Attributes:
        name: the evidence table that answers it, also its anchor on the page.
        question: its heading.
        body: the template that shows it, without `body_` and `.html`.
        draw: makes the figure from the table; None for no figure.
        advise: what to do about it: a sentence, or a function of the table.
        also: further tables to show below.
        needs: columns that the figure needs; without them only the table is shown.
        refused_as: other names under which `not_examined` may give the reason for a missing answer.
        optional: whether the question is left out if its table is missing.
        rests_on_maps: whether the answer is withheld if the maps failed a check.
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
    rests_on_maps: bool = False


@dataclass(frozen=True)
class Stage:
    """A stage of the study: its name, the command that runs it, and its questions."""

    name: str
    command: str
    entries: tuple[Entry, ...]


OUTLINE = (
    Stage(
        "Obtain",
        "obtain",
        (
            Entry(
                "provenance",
                "Where do the data and the weights come from?",
                "provenance",
                advise=advice.PROVENANCE,
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
                advise=advice.split_checks_advice,
                also=("split_dropped",),
            ),
            Entry(
                "duplicates",
                "Which images appear twice?",
                "duplicates",
                advise=advice.duplicates_advice,
                also=("leakage_effect",),
            ),
            Entry(
                "interpolation",
                "Which interpolation is used, and why?",
                "figure",
                scrub.interpolation_figure,
                advice.interpolation_advice,
            ),
        ),
    ),
    Stage(
        "Explore",
        "explore",
        (
            Entry(
                "balance",
                "Are the classes balanced?",
                "figure",
                explore.balance_figure,
                advice.balance_advice,
            ),
            Entry(
                "appearance",
                "What does each class look like?",
                "appearance",
                advise=advice.APPEARANCE,
                also=("mean_images",),
            ),
            Entry(
                "embedding",
                "Which classes look alike before training?",
                "figure",
                explore.embedding_figure,
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
            Entry(
                "confusion",
                "Which classes are confused with which?",
                "confusion",
                advise=advice.confusion_advice,
            ),
            Entry("errors", "Which images does it get wrong?", "errors", advise=advice.ERRORS),
            Entry(
                "levers",
                "What would fix its errors?",
                "figure",
                levers.levers_figure,
                advice.levers_advice,
                also=(
                    "lever_ensembles",
                    "lever_data",
                    "lever_neighbourhoods",
                    "lever_errors",
                    "influence",
                    "levers_not_tried",
                ),
                optional=True,
                needs=("name", "group", "net", "ci_low", "ci_high", "verdict"),
            ),
            Entry(
                "ledger",
                "Why does it get them wrong?",
                "ledger",
                advise=advice.LEDGER,
                also=("ledger_shares",),
            ),
            Entry(
                "confusion_pairs",
                "Which confusions are more frequent than chance?",
                "figure",
                interpret.confusion_pairs_figure,
                advice.confusion_pairs_advice,
                also=("confusion_clusters", "confusion_direction"),
            ),
            Entry(
                "recall", "Which classes are hard?", "figure", interpret.recall_figure, advice.recall_advice
            ),
            Entry(
                "hypotheses", "Were the expectations right?", "hypotheses", advise=advice.hypotheses_advice
            ),
            Entry(
                "calibration",
                "Can its confidence be trusted?",
                "figure",
                interpret.calibration_figure,
                advice.calibration_advice,
                also=("calibration_summary",),
            ),
            Entry(
                "risk_coverage",
                "What does rejecting doubtful images gain?",
                "figure",
                interpret.risk_coverage_figure,
                advice.RISK_COVERAGE,
                also=("rejection",),
                optional=True,
                needs=("coverage", "error_rate", "ci_low", "ci_high"),
            ),
            Entry(
                "label_errors",
                "Which labels may be wrong?",
                "label_errors",
                advise=advice.label_errors_advice,
                also=("label_error_summary", "corrected_score"),
            ),
            Entry(
                "ambiguity", "Which images would people disagree about?", "ambiguity", advise=advice.AMBIGUITY
            ),
            Entry(
                "outliers",
                "Which images are unlike the training images?",
                "outliers",
                advise=advice.outliers_advice,
                optional=True,
            ),
            Entry(
                "degradation",
                "How much does image quality matter?",
                "figure",
                interpret.degradation_figure,
                advice.DEGRADATION,
                needs=("corruption", "severity", "class", "accuracy", "ci_low", "ci_high"),
                also=("degradation_summary", "image_quality"),
            ),
            Entry(
                "slices",
                "Where does it fail more often than elsewhere?",
                "slices",
                interpret.slices_figure,
                advice.slices_advice,
                also=("metadata_scores", "suggested_groups"),
            ),
            Entry(
                "attribution_methods",
                "Which method makes the maps?",
                "figure",
                model_setup.methods_figure,
                advice.METHODS,
                optional=True,
                needs=("method", "layer", "deletion", "insertion", "pointing", "score"),
            ),
            Entry(
                "attribution",
                "Where does it look?",
                "maps",
                advise=advice.ATTRIBUTION,
                refused_as=("maps",),
                rests_on_maps=True,
            ),
            Entry(
                "attribution_classes",
                "Does the evidence lie on the object?",
                "figure",
                attribution.object_share_figure,
                advice.object_share_advice,
                optional=True,
                rests_on_maps=True,
                needs=("class", "object_share", "ci_low", "ci_high", "object_area"),
            ),
            Entry(
                "faithfulness",
                "Can the maps be trusted?",
                "figure",
                attribution.faithfulness_figure,
                advice.faithfulness_advice,
                refused_as=("maps",),
            ),
            Entry(
                "context",
                "Object or background?",
                "context",
                attribution.background_figure,
                advice.background_advice,
                also=("masks", "background_errors"),
            ),
        ),
    ),
    Stage(
        "Treat",
        "treat",
        (
            Entry(
                "compared_with",
                "What did cleaning the data change?",
                advise=advice.compared_with_advice,
                also=("compared_changed",),
                optional=True,
            ),
            Entry("prescription", "What should be tried?", "prescription", advise=advice.prescription_advice),
            Entry(
                "treatments",
                "What helps?",
                "treatments",
                treat.treatments_figure,
                advice.treatments_advice,
                also=("treatment_test", "treatment_arms", "treatment_classes"),
            ),
            Entry(
                "ledger_change",
                "Which errors did the treatment fix?",
                "figure",
                treat.ledger_change_figure,
                advice.ledger_change_advice,
                optional=True,
                needs=("cause", "n", "n_after"),
            ),
        ),
    ),
)
