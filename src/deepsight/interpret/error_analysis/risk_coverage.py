"""What rejecting doubtful images buys: accuracy of those that are kept, by the share that is kept."""

import numpy as np

from deepsight.core.array_types import Floats


def risk_coverage_area(confidence: Floats, correct: Floats) -> float:
    """The area under the risk-coverage curve (AURC; Geifman and El-Yaniv 2017), 0 to 1, smaller is better.

    The mean over k of the error rate among the k most confident images; ties keep their order.

    Args:
        confidence: (n,), of the predicted class.
        correct: bool (n,).
    """
    wrong = ~np.asarray(correct, dtype=bool)[np.argsort(-np.asarray(confidence), kind="stable")]
    return float((np.cumsum(wrong) / np.arange(1, len(wrong) + 1)).mean())


def threshold_for_accuracy(confidence: Floats, correct: Floats, target: float) -> float | None:
    """The smallest confidence from which on the kept images reach an accuracy; None if none does.

    Args:
        confidence: (n,), of the predicted class.
        correct: bool (n,).
        target: the accuracy, 0 to 1.
    """
    order = np.argsort(-np.asarray(confidence), kind="stable")
    sorted_confidence = np.asarray(confidence)[order]
    accuracy = np.cumsum(np.asarray(correct, dtype=bool)[order]) / np.arange(1, len(order) + 1)
    last_of_tie = np.append(sorted_confidence[1:] < sorted_confidence[:-1], True)
    reached = np.flatnonzero((accuracy >= target) & last_of_tie)
    return float(sorted_confidence[reached[-1]]) if len(reached) else None
