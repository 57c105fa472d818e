"""A real folder that nobody made for DeepSight: the pictures of OpenMoji, in groups and subgroups.

    python benchmarks/own_data/openmoji.py FOLDER [--skin-tones]
    deepsight run --data folder:FOLDER --minutes 5 --out runs/openmoji

Fetches two packages with npm: `openmoji` (the drawings, CC BY-SA 4.0, https://openmoji.org) and
`@resvg/resvg-js` (which draws them, MPL 2.0). Writes PNG files of 72 x 72 pixels on a transparent ground as
FOLDER/group/subgroup/CODE.png. Nothing of it is part of this repository.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

PACKAGES = ("openmoji@17.0.0", "@resvg/resvg-js@2.6.2")
SIDE = 72
FEWEST = 20  # pictures that make a class

DRAW = """
const FIT = { fitTo: { mode: 'width', value: %d } };
const fs = require('fs'), { Resvg } = require('@resvg/resvg-js');
for (const [from, to] of JSON.parse(fs.readFileSync(0)))
  fs.writeFileSync(to, new Resvg(fs.readFileSync(from, 'utf8'), FIT).render().asPng());
"""


def fetch(work: Path) -> Path:
    """The folder of the package, installed below `work` with the user's npm."""
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(work), *PACKAGES]
    subprocess.run(command, check=True)
    return work / "node_modules" / "openmoji"


def entries(package: Path, *, skin_tones: bool) -> list[dict[str, str]]:
    """The pictures of groups with enough of them; variants in another skin tone only if asked for."""
    listed = json.loads((package / "data" / "openmoji.json").read_text(encoding="utf-8"))
    chosen = [entry for entry in listed if skin_tones or not entry["skintone"]]
    groups = [entry["group"] for entry in chosen]
    return [entry for entry in chosen if groups.count(entry["group"]) >= FEWEST]


def draw(package: Path, chosen: list[dict[str, str]], folder: Path) -> None:
    """Write each picture into the folder of its group and subgroup."""
    pairs = []
    for entry in chosen:
        place = folder / entry["group"] / entry["subgroups"]
        place.mkdir(parents=True, exist_ok=True)
        drawing = package / "color" / "svg" / f"{entry['hexcode']}.svg"
        pairs.append((str(drawing), str(place / f"{entry['hexcode']}.png")))
    script = DRAW % SIDE
    subprocess.run(
        ["node", "-e", script], input=json.dumps(pairs), text=True, check=True, cwd=package.parents[1]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures go; made anew")
    parser.add_argument("--skin-tones", action="store_true", help="with the variants in other skin tones")
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        package = fetch(Path(work))
        chosen = entries(package, skin_tones=args.skin_tones)
        draw(package, chosen, args.folder.resolve())
    groups = {entry["group"] for entry in chosen}
    print(f"{len(chosen):,} pictures in {len(groups)} groups are in {args.folder}.")


if __name__ == "__main__":
    main()
