"""From what a reader lists to data that a study takes: the way that all readers of single images share."""

from collections.abc import Mapping, Sequence

from deepsight.core.progress import Log
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.decode import Listing
from deepsight.obtain.decoding.decoded_cache import decoded_parts
from deepsight.obtain.fit_choice import FitJudge, choose_fit
from deepsight.obtain.passed_over import PassedOver
from deepsight.obtain.sources import Obtained
from deepsight.obtain.splits import custom_data, split_custom_data
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
    """The listed images, fitted as asked or chosen, decoded once into the cache, and split where need be.

    Args:
        name: of the data, as the record shows it.
        address: with the options that decide about side, fit and held-out share.
        listings: the images of each part.
        classes: names of the k classes.
        key: changes whenever the images do.
        options: those that the scheme of the address knows.
        passed_over: what the source holds and is not used.
        resolution: the side in pixels that the study asks for.
        judge: compares fits where none was asked for; None crops.
        log: receives the progress, and what is set aside.

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
