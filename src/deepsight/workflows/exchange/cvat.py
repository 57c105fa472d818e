"""CVAT for images 1.1: exports labels as tags of images, and reads the corrected XML as decisions."""

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from deepsight.core.decisions import Decision
from deepsight.core.errors import UsageError
from deepsight.core.files.atomic import write_text
from deepsight.workflows.exchange.found_images import ExaminedRun, write_pictures

ANNOTATIONS = "annotations.xml"
MOST_BYTES = 2**28
# Attributes of a tag: those that identify the image, and the reader's verdict.
ATTRIBUTES = {
    "split": ("text", ""), "id": ("text", ""), "given": ("text", ""), "file": ("text", ""),
    "decision": ("select", "\nkeep\nrelabel\nremove\nunsure"),
}  # fmt: skip


def write_cvat(folder: Path, examined: ExaminedRun) -> list[Path]:
    """Write annotations.xml and the images in `images`, as the format requires.

    Each image carries a tag with its suggested label where that label is flagged, else its given one.
    """
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    root.append(meta(examined))
    for number, (image, path) in enumerate(write_pictures(folder / "images", examined)):
        height, width = examined.pixels(image).shape[:2]
        about = {"id": str(number), "name": path.name, "width": str(width), "height": str(height)}
        label = image.suggested if image.flagged and image.suggested else image.given
        tag = SubElement(SubElement(root, "image", about), "tag", {"label": label, "source": "auto"})
        carried = {"split": image.split, "id": image.id, "given": image.given, "file": image.file}
        for name in ATTRIBUTES:
            SubElement(tag, "attribute", {"name": name}).text = str(carried.get(name, ""))
    ElementTree.indent(root)
    declared = '<?xml version="1.0" encoding="utf-8"?>\n'
    write_text(folder / ANNOTATIONS, declared + ElementTree.tostring(root, encoding="unicode") + "\n")
    return [folder / ANNOTATIONS]


def meta(examined: ExaminedRun) -> Element:
    """The task: its size and its labels with their attributes."""
    top = Element("meta")
    task = SubElement(top, "task")
    for name, text in {"name": "DeepSight", "size": str(len(examined.images)), "mode": "annotation"}.items():
        SubElement(task, name).text = text
    labels = SubElement(task, "labels")
    for label in examined.classes:
        one = SubElement(labels, "label")
        SubElement(one, "name").text, SubElement(one, "type").text = label, "tag"
        attributes = SubElement(one, "attributes")
        for name, (kind, values) in ATTRIBUTES.items():
            attribute = SubElement(attributes, "attribute")
            about = {
                "name": name,
                "mutable": "False",
                "input_type": kind,
                "default_value": "",
                "values": values,
            }
            for key, text in about.items():
                SubElement(attribute, key).text = text
    return top


def read_cvat(path: Path) -> list[Decision]:
    """The decisions in an annotations.xml; images without a tag are left out.

    Raises:
        UsageError: the file is not in this format or above 256 MB, or an image has several tags.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if "<!DOCTYPE" in text[:2000] or len(text) > MOST_BYTES:  # entities could expand without limit
            raise ValueError("a document type, or a file of more than 256 MB")
        images = ElementTree.fromstring(text).findall("image")
        tagged = [(image.get("name", ""), image.findall("tag")) for image in images]
        return [decision_of_tags(name, tags) for name, tags in tagged if tags]
    except (OSError, ValueError, KeyError, ElementTree.ParseError) as error:
        raise UsageError(
            f"Expected annotations in the format CVAT for images 1.1 in {path}, but they cannot be read "
            f"({type(error).__name__}: {error})."
        ) from error


def decision_of_tags(name: str, tags: list[Element]) -> Decision:
    """The decision in the tag of an image."""
    if len(tags) != 1:
        raise UsageError(f"Expected one tag on {name}, received {len(tags)}. An image has one class.")
    carried = {one.get("name", ""): (one.text or "").strip() for one in tags[0].findall("attribute")}
    label, given = tags[0].attrib["label"], carried["given"]
    verdict = carried.get("decision") or ("keep" if label == given else "relabel")
    if verdict in ("keep", "relabel"):
        verdict = "keep" if label == given else "relabel"
    return Decision(
        file=carried.get("file", name), id=int(carried["id"]), split=carried["split"], given=given,
        decision=verdict, label=label if verdict == "relabel" else given,  # type: ignore[arg-type]
    )  # fmt: skip
