"""The common path from a reader's listing of images to the data of a study."""

from collections.abc import Mapping, Sequence

from deepsight.core.progress import Log
from deepsight.obtain.crop_or_pad import FitJudge, choose_fit
from deepsight.obtain.custom_data import custom_data
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.decode import Listing
from deepsight.obtain.decoding.decoded_cache import decoded_parts
from deepsight.obtain.obtained import Obtained
from deepsight.obtain.skipped_items import PassedOver
from deepsight.obtain.splits import split_custom_data
from deepsight.obtain.stored_size import stored_shape


def obtain_listed(
    name: str,
    address: DataAddress,
    listings: Mapping[str, Listing],
    classes: tuple[str, ...],
    *,
    key: str,
    options: Sequence[str],
    passed_over: PassedOver,
    resolution: int | None,
    judge: FitJudge | None,
    log: Log,
) -> Obtained:
    """The listed images, fitted, decoded once into the cache, and split if there is no test part.

    Args:
        name: of the data, as in the record.
        address: with the options for side, fit and held-out share.
        listings: the images of each part.
        classes: names of the k classes.
        key: a digest that changes whenever the images do.
        options: the options of the address's scheme.
        passed_over: what the source holds but the study does not use.
        resolution: the side in pixels that the study needs; None for the default.
        judge: compares fits if the user gave none; None crops.
        log: receives progress, and what cannot be read or is not used.

    Raises:
        DeepSightError: the cache cannot be written to, or there are too few classes or images.
    """
    choice = choose_fit(address, listings, judge=judge, log=log)
    address = address.with_fit(choice.fit, {address.scheme: options})
    shape = stored_shape(address, listings, resolution=resolution, log=log)
    decoded = decoded_parts(listings, key=key, shape=shape, fit=address.fit, log=log)
    custom = custom_data(
        name, decoded, classes, listings=listings, passed_over=passed_over, choice=choice, log=log
    )
    return split_custom_data(custom, share=address.test_share, log=log)
