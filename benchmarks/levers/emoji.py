"""Pictures that are not 32 pixels wide, for the benchmark of the levers: emoji in folders by their category.

    python benchmarks/levers/emoji.py FOLDER

Fetches three packages with npm: `@iconify-json/openmoji` (CC BY-SA 4.0) and `@iconify-json/twemoji` (CC BY
4.0), the drawings, and `@resvg/resvg-js` (MPL 2.0), which draws them. Writes PNG files of 64 x 64 pixels on
white as FOLDER/category/SET-NAME.png. Nothing of it is part of this repository.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

SETS = ("openmoji", "twemoji")
PACKAGES = ("@iconify-json/openmoji@1", "@iconify-json/twemoji@1", "@resvg/resvg-js@2.6.2")
SIDE = 64
FEWEST = 150  # pictures that make a class
DRAW = """
const fs = require('fs'), { Resvg } = require('@resvg/resvg-js');
const fit = { fitTo: { mode: 'width', value: %d }, background: 'white' };
for (const [svg, to] of JSON.parse(fs.readFileSync(0)))
  fs.writeFileSync(to, new Resvg(svg, fit).render().asPng());
"""


def drawings(package: Path, name: str) -> dict[str, list[tuple[str, str]]]:
    """The pictures (file name, SVG) of each category, without variants of the skin tone."""
    icons = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    side = icons.get("width", 72)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="{side}" height="{side}">'
    )
    listed = json.loads((package / "metadata.json").read_text(encoding="utf-8"))["categories"]
    return {
        category: [
            (f"{name}-{icon}.png", f"{head}{icons['icons'][icon]['body']}</svg>")
            for icon in names
            if "skin-tone" not in icon and icon in icons["icons"]
        ]
        for category, names in listed.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    folder = parser.parse_args().folder
    found: dict[str, list[tuple[str, str]]] = {}
    with tempfile.TemporaryDirectory() as work:
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", work, *PACKAGES]
        subprocess.run(command, check=True)
        for name in SETS:
            for category, pictures in drawings(Path(work, "node_modules/@iconify-json", name), name).items():
                found.setdefault(category.replace(" & ", " "), []).extend(pictures)
        pairs = []
        for category, pictures in found.items():
            place = (folder / category).resolve()
            if len(pictures) >= FEWEST:
                place.mkdir(parents=True, exist_ok=True)
                pairs += [(svg, str(place / file)) for file, svg in pictures]
        subprocess.run(["node", "-e", DRAW % SIDE], input=json.dumps(pairs), text=True, check=True, cwd=work)
    print(f"{len(pairs)} pictures below {folder}")


if __name__ == "__main__":
    main()
