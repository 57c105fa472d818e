"""The documentation site: the repository's own Markdown pages, and an API reference from the docstrings.

Sphinx reads the whole repository, so that a link works on the site as it does beside the code. `make docs`
builds it; a link that leads nowhere stops the build.
"""

import ast
import os
import re
from importlib.metadata import version as version_of
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

import deepsight

PACKAGE = Path(deepsight.__path__[0])
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its modules are imported to be documented

project = "DeepSight"
author = "The DeepSight authors"
version = release = version_of("deepsight-forensics")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/**",
    "benchmarks/*.md",
    "benchmarks/**/*.md",
]
exclude_patterns = ["docs/site/**", "docs/schemas/**"]

html_theme = "furo"
html_title = "DeepSight"
html_extra_path = ["site"]  # index.html, which leads to the first page
html_static_path, html_css_files = ["static"], ["site.css"]
html_copy_source = html_show_sourcelink = html_show_copyright = html_show_sphinx = False

myst_enable_extensions = ["dollarmath"]
myst_dmath_allow_labels = False
html_math_renderer = "mathml"  # every browser draws it, without a script or the network
myst_heading_anchors = 3

default_role = "code"  # docstrings write names in single backticks, as Markdown does
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 80
autodoc_default_options = {"members": True}
napoleon_use_rtype = False
napoleon_use_ivar = True  # attributes are described once, by the class
napoleon_numpy_docstring = False
napoleon_attr_annotations = False  # signatures say the types


class Modules(SphinxDirective):
    """Every module of a folder, with the first sentence of its docstring: ``{modules} scrub``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A line per module; the files are read, not imported."""
        folder = PACKAGE / self.arguments[0]
        lines = StringList()
        for path in sorted(folder.rglob("*.py")):
            said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            if said and path.name != "__init__.py":
                name = path.relative_to(PACKAGE).as_posix()
                lines.append(f"- `{name}`: {said.splitlines()[0]}", source=f"<{name}>")
        node = nodes.container()
        self.state.nested_parse(lines, self.content_offset, node)
        return [node]


class Public(SphinxDirective):
    """The names that `deepsight` exports, in alphabetical order."""

    def run(self) -> list[nodes.Node]:
        """A description per name."""
        lines = StringList()
        for name in deepsight.__all__:
            kind = "class" if isinstance(getattr(deepsight, name), type) else "function"
            for line in ("```{eval-rst}", f".. auto{kind}:: deepsight.{name}", "```"):
                lines.append(line, source="<public>")
        node = nodes.container()
        self.state.nested_parse(lines, self.content_offset, node)
        return [node]


DOTS = r"~?(?:\w+\.)*"  # the modules before a name
SUPPORTS = rf"{DOTS}_SupportsArray\[{DOTS}dtype\[{DOTS}Any\]\]"
SCALARS = r"complex \| bytes \| str"
ARRAY_LIKE = (  # as numpy spells it out
    rf"{DOTS}_?Buffer \| {SUPPORTS} \| {DOTS}_NestedSequence\[{SUPPORTS}\] \| {SCALARS} \| "
    rf"{DOTS}_NestedSequence\[{SCALARS}\]"
)

EVENTS = rf"{DOTS}StageStarted \| {DOTS}EpochEnded \| {DOTS}LoopProgress \| str"
LOG = rf"{DOTS}Callable\[\[{EVENTS}\], None\]"


def short_signature(_app: Sphinx, *described: object) -> tuple[str | None, str | None]:
    """A signature with the types that a reader needs: `ndarray[int64]`, and no validators."""
    signature, returned = (text if isinstance(text, str) else None for text in described[-2:])
    return signature and short_types(signature), returned and short_types(returned)


def short_types(text: str) -> str:
    """Types as short as they can be written; the docstrings say shapes and ranges."""
    text = re.sub(rf"ndarray\[tuple\[{DOTS}Any, \.\.\.\], {DOTS}dtype\[([^]]+)\]\]", r"ndarray[\1]", text)
    text = re.sub(ARRAY_LIKE, "ArrayLike", text)
    text = re.sub(LOG, "Log", text)
    text = re.sub(r"<function (\w+) at 0x\w+>", r"\1", text)
    text = re.sub(r"<[^<>]+>", "...", text)  # other values that Sphinx cannot read
    while found := re.search(r"(~?typing\.)?Annotated\[", text):
        inside, after = until_bracket(text[found.end() :])
        text = text[: found.start()] + first_of(inside) + after
    return text


def shorten_properties(_app: Sphinx, page: nodes.document) -> None:
    """Types of properties, which are no signatures."""
    for node in page.findall(addnodes.desc_annotation):
        if (short := short_types(node.astext())) != node.astext():
            node.children = [nodes.Text(short)]


def until_bracket(text: str) -> tuple[str, str]:
    """What stands before the bracket that closes an open one, and what follows it."""
    depth = 1
    for place, sign in enumerate(text):
        depth += (sign in "[(") - (sign in "])")
        if not depth:
            return text[:place], text[place + 1 :]
    return text, ""


def first_of(arguments: str) -> str:
    """The first of several arguments."""
    depth = 0
    for place, sign in enumerate(arguments):
        depth += (sign in "[(") - (sign in "])")
        if sign == "," and not depth:
            return arguments[:place]
    return arguments


def inline_formula(writer: HTML5Translator, node: nodes.math) -> None:
    """A formula within a line, as MathML."""
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def displayed_formula(writer: HTML5Translator, node: nodes.math_block) -> None:
    """A formula on lines of its own, as MathML."""
    writer.body.append(f'<div class="formula">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register what is defined here."""
    app.add_html_math_renderer("mathml", (inline_formula, None), (displayed_formula, None))
    app.connect("autodoc-process-signature", short_signature)
    app.connect("doctree-read", shorten_properties)
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.add_directive("public", Public)
    app.add_directive("modules", Modules)
