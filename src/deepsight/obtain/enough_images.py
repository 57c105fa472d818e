"""Whether each class has the images that a study needs."""

from collections.abc import Sequence

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset, class_counts
from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log
from deepsight.obtain.custom_data import CustomData
from deepsight.obtain.doubtful_class_names import bare_name
from deepsight.obtain.skipped_items import NO_LABEL, NO_LABELS, first_few

FEW_IN_TEST = 5  # images of a class; with fewer, its F1 can take only a handful of values


def require_enough_images(custom: CustomData) -> None:
    """Refuse data with too few classes, or too few images per class, for the parts that must be made.

    Raises:
        DeepSightError: a part is empty, or there are too few classes or images.
    """
    for name, part in custom.parts.items():
        if len(part.labels) == 0:
            first = custom.quarantined[0] if custom.quarantined else None
            why = f" The first: {first['file']} ({first['reason']})." if first else ""
            raise DeepSightError(
                f"Expected images in {custom.name} ({name}), received none that can be read.{why}"
            )
    if len(custom.classes) < 2:
        raise DeepSightError(
            f"Expected at least two classes in {custom.name}, received {list(custom.classes)}."
            f"{where_labels_are_missing(custom)}"
        )
    counts = class_counts(custom.parts[custom.learnt].labels, custom.classes)
    require_every_class(custom, counts)
    purposes = ["training"] + [
        purpose for part, purpose in (("val", "validation"), ("test", "test")) if part not in custom.parts
    ]
    few = [f"{n} of '{c}'" for c, n in zip(custom.classes, counts, strict=True) if n < len(purposes)]
    if (counts >= min(2, len(purposes))).sum() < 2 or counts.max() < len(purposes):
        raise DeepSightError(
            f"Expected at least {len(purposes)} images of one class of {custom.name} (for "
            f"{', '.join(purposes)}) and two of another, received {first_few(few)}. Add images."
        )


def where_labels_are_missing(custom: CustomData) -> str:
    """A sentence where images have no label, because -1 may be meant as one; else nothing."""
    missing = [item for item in custom.quarantined if item["reason"] == NO_LABEL]
    missing += [record for record in custom.passed_over.records() if NO_LABELS in str(record["what"])]
    marks = " Other images have no label: -1, NaN and an empty cell mark them."
    return f"{marks} If -1 is a class, write 0 for it." if missing else ""


def require_every_class(custom: CustomData, counts: Ints) -> None:
    """Refuse classes without images to learn from, and say where their images are.

    Raises:
        DeepSightError: a class has none.
    """
    none = [place for place, n in enumerate(counts) if n == 0]
    if not none:
        return
    elsewhere = {
        name: int((part.labels == none[0]).sum())
        for name, part in custom.parts.items()
        if name != custom.learnt
    }
    there = [f"{n} in {name}" for name, n in elsewhere.items() if n]
    where = f", but {', '.join(there)}" if there else ""
    first = custom.quarantined[0] if custom.quarantined else None
    why = f" The first that was set aside: {first['file']} ({first['reason']})." if first else ""
    raise DeepSightError(
        f"Expected readable images to learn from for each class of {custom.name}, received none of "
        f"{first_few([repr(custom.classes[place]) for place in none])}{where}.{why} Add images, or leave the "
        f"class out.{near_spelling(custom.classes, none[0])}"
    )


def near_spelling(classes: Sequence[str], place: int) -> str:
    """A sentence if another class differs from this one only in capitals and separators, else empty."""
    plain = bare_name(classes[place])
    others = [name for i, name in enumerate(classes) if i != place and bare_name(name) == plain]
    return f" There is also '{others[0]}': give both one spelling." if others else ""


def log_absent_classes(test: Dataset, log: Log) -> None:
    """Log which classes the test part lacks, and which have few images in it while others have many."""
    counts = class_counts(test.labels, test.classes)
    absent = [f"'{c}'" for c, n in zip(test.classes, counts, strict=True) if n == 0]
    if absent:
        log(f"The test part has no image of {first_few(absent)}; macro-F1 is over the other classes.")
    rare = [f"'{c}' ({n})" for c, n in zip(test.classes, counts, strict=True) if 0 < n < FEW_IN_TEST]
    if rare and test.k * FEW_IN_TEST < len(test):
        log(
            f"The test part has fewer than {FEW_IN_TEST} images of {first_few(rare)}: each such class has a "
            f"weight of 1/{test.k} in macro-F1."
        )
