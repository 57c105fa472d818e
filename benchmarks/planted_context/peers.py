"""The peers on the models that `run.py --store FOLDER` kept. One command, in an environment of its own.

    python -m venv .peers && .peers/bin/pip install -r benchmarks/planted_context/requirements.txt
    PYTHONPATH=src .peers/bin/python benchmarks/planted_context/peers.py FOLDER

Two scores for "this model leans on the background": one minus the share of Grad-CAM's map on the object
(grad-cam), and one minus the lowest score of cleanlab's check for spurious correlations, which looks at the
training images only.
"""

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
import torch
from cleanlab import Datalab
from cleanlab.datalab.internal.adapter.constants import DEFAULT_CLEANVISION_ISSUES
from datasets import ClassLabel, Dataset, Features, Image
from PIL import Image as Pillow
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from report import scores
from torch import Tensor, nn

from deepsight.model import pretrained

HERE = Path(__file__).parent
WORKING_SIDE, SIDE = 128, 64  # of the masks, and of the network's input
SCORES = ("gap", "screen", "grad-cam, last layer", "grad-cam, stride 16", "cleanlab")


class Net(nn.Module):
    """The frozen backbone with one of the heads."""

    def __init__(self, backbone: nn.Module, head: Path) -> None:
        super().__init__()
        self.backbone = backbone
        with np.load(head) as file:
            self.weight = nn.Parameter(torch.from_numpy(file["weight"]))
            self.bias = nn.Parameter(torch.from_numpy(file["bias"]))

    def forward(self, x: Tensor) -> Tensor:
        return self.backbone.forward_features(x).mean((2, 3)) @ self.weight.T + self.bias


def prepare(images: np.ndarray) -> Tensor:
    """Network input (n, 3, 64, 64), as the heads were trained with."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    x = nn.functional.interpolate(x, size=(SIDE, SIDE), mode="bicubic", antialias=True)
    return x.clamp(0, 255) / 127.5 - 1


def name_of(row: dict[str, str]) -> str:
    """The file of a row's model, as `keep.name_of` writes it."""
    return f"{row['world']}_{row['cue'].replace(' ', '-')}_{float(row['rho']):.3f}_{row['model']}.npz"


def object_share(net: Net, layer: nn.Module, x: Tensor, labels: np.ndarray, cover: np.ndarray) -> float:
    """Mean share of grad-cam's map of the true class on the object."""
    with GradCAM(net, [layer]) as cam:
        maps = cam(x, [ClassifierOutputTarget(int(c)) for c in labels])
    total = maps.sum(axis=(1, 2))
    share = (maps * cover).sum(axis=(1, 2)) / np.where(total > 0, total, np.nan)
    return float(np.nanmean(share))


def spurious_score(images: np.ndarray, labels: np.ndarray) -> float:
    """cleanlab's lowest score over image properties: 1 where no property foretells the label."""
    features = Features({"image": Image(), "label": ClassLabel(num_classes=10)})
    rows = {"image": [Pillow.fromarray(i) for i in images], "label": labels.tolist()}
    data = Dataset.from_dict(rows, features=features)
    lab = Datalab(data, label_name="label", image_key="image", verbosity=0)
    properties = {name: {} for name in DEFAULT_CLEANVISION_ISSUES}
    lab.find_issues(issue_types={"image_issue_types": properties, "spurious_correlations": {}})
    return float(lab.get_info("spurious_correlations")["correlations_df"]["score"].min())


def of_data(path: Path, net: nn.Module, count: int, trained: int) -> dict[str, dict[str, float]]:
    """Scores of the models of one world, cue and alignment."""
    with np.load(path) as file:
        images, labels = file["images"][:count], file["labels"][:count]
        inside = np.unpackbits(file["inside"]).reshape(-1, WORKING_SIDE, WORKING_SIDE)[:count]
        spurious = 1 - spurious_score(file["train_images"][:trained], file["train_labels"][:trained])
    size = (SIDE, SIDE)
    cover = np.stack([cv2.resize(m.astype(np.float32), size, interpolation=cv2.INTER_AREA) for m in inside])
    x, found = prepare(images), {}
    for head in sorted(path.parent.glob(path.name.replace("_data.npz", "_*[0-9].npz"))):
        model = Net(net, head).eval()
        found[head.name] = {
            "grad-cam, last layer": 1 - object_share(model, net.bn2, x, labels, cover),
            "grad-cam, stride 16": 1 - object_share(model, net.blocks[4], x, labels, cover),
            "cleanlab": spurious,
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=60, help="audit images for the maps of each model")
    parser.add_argument("--trained", type=int, default=500, help="training images that cleanlab sees")
    parser.add_argument("--world", default="neutral", choices=("neutral", "natural"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    with (HERE / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    net, found = pretrained.load_pretrained(pretrained.PACKAGED).backbone.eval(), {}
    for path in sorted(args.folder.glob(f"{args.world}_*_data.npz")):
        found |= of_data(path, net, args.images, args.trained)
        print(path.stem, flush=True)
    rows = [
        {**row, **found[name]} for row in rows if row["kind"] == "head" and (name := name_of(row)) in found
    ]
    print("| score | world | n | AUROC (R > δ) | rank correlation |\n|---|---|---|---|---|")
    for score in SCORES:
        for world in dict.fromkeys(row["world"] for row in rows):
            here = [row for row in rows if row["world"] == world]
            area, rank = scores(here, score)
            print(f"| {score} | {world} | {len(here)} | {area:.3f} | {rank:.3f} |")
    with (HERE / "peers.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
