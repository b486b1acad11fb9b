"""A brief as HTML: Markdown, of which nothing is executed or loaded."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

from gather_pipeline.domain.projects import Project
from gather_pipeline.text.sentences import sentence_ends

if TYPE_CHECKING:
    from markupsafe import Markup

CHARACTERS = 900


def brief_parts(project: Project) -> tuple[Markup, Markup]:
    """The beginning of a project's brief, and the rest, which may be empty.

    The beginning ends with a sentence of a paragraph, or with a whole list, table or quotation, within `CHARACTERS` where one ends there.
    HTML in a brief stays text, and a picture is a link to it.
    """
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    text = project.brief.replace("\r\n", "\n").replace("\r", "\n").strip()
    text = text.removeprefix(f"# {project.name}\n")  # the page has that heading already
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
    references: dict[str, Any] = {}  # shared, for a link may be defined in another part than it is used in
    lines = list(accumulate((len(line) for line in text.split("\n")), lambda place, length: place + length + 1, initial=0))
    ends = []
    for block in markdown.parse(text, references):
        if block.level == 0 and block.map and block.type != "heading_open":
            first, last = lines[block.map[0]], lines[block.map[1]]
            ends += [last, *(first + end for end in sentence_ends(text[first:last]) if block.type == "paragraph_open")]
    cut = max((end for end in ends if end <= CHARACTERS), default=min(ends, default=len(text)))

    def html(part: str) -> Markup:
        tokens = markdown.parse(part, references)
        for token in tokens:
            if token.type in ("heading_open", "heading_close"):  # the page's outline is its own
                token.tag = "p"
            if token.nesting == 1:
                token.attrSet("dir", "auto")
            if token.type == "heading_open":
                token.attrSet("class", "heading")
        return Markup(markdown.renderer.render(tokens, markdown.options, references))

    return html(text[:cut]), html(text[cut:])
