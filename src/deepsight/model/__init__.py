"""Stage 4: an ImageNet backbone, a frozen phase, then fine-tuning of the deepest stages."""

from deepsight.model.without_dynamo import import_networks

import_networks()
