"""Near-duplicates among all official images: when they are searched for, at what cost, and where stored."""

from pathlib import Path

from deepsight.core.evidence import Table
from deepsight.obtain.cache import cache_folder
from deepsight.scrub.duplicates import candidates
from deepsight.scrub.duplicates.official import is_stored, official_duplicates
from deepsight.workflows.study_context import Context

SEARCHED = 0.1  # share of the minutes that a first search among all official images may take
# Seconds of the search per image and per comparison: docs/methods/duplicates.md.
DUPLICATE_SECONDS = (7e-4, 3.7e-9)


def known_duplicates(context: Context) -> Table | None:
    """The near-duplicates among all official images; None if only the study's own images are compared."""
    if not searches_all(context):
        context.log(
            "The search for near-duplicates covers the images of this study only; with more --minutes it "
            f"covers all {official_images(context):,} official ones."
        )
        return None
    return official_duplicates(context.obtained.named(), stored_search(context), log=context.log)


def searches_all(context: Context) -> bool:
    """Whether the study searches all official images for near-duplicates, or only those that it uses.

    The rule depends on the number of images and the minutes but not on the machine, so that a study repeated
    elsewhere compares the same images.
    """
    return duplicate_seconds(official_images(context)) <= SEARCHED * context.study.minutes * 60


def search_seconds(context: Context, slower: float, n: int) -> float:
    """Seconds of the search in a study of n images on a machine this many times slower; 0 if it is stored."""
    if not searches_all(context):
        return slower * duplicate_seconds(n)
    known = is_stored(stored_search(context))
    return 0.0 if known else slower * duplicate_seconds(official_images(context))


def official_images(context: Context) -> int:
    """The number of images of all official parts."""
    return sum(len(part) for part in context.obtained.named().values())


def duplicate_seconds(n: int) -> float:
    """Seconds of the search for near-duplicates among n images, on the machine of DUPLICATE_SECONDS."""
    image, comparison = DUPLICATE_SECONDS
    return image * n + comparison * candidates.comparisons(n)


def stored_search(context: Context) -> Path:
    """The folder in the cache for the near-duplicates among all official images."""
    return cache_folder() / "duplicates" / context.search_key
