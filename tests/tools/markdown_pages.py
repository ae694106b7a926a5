"""Markdown pages of the project as data: code blocks, headings, links, tables and prose."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class MarkdownPage:
    """A Markdown file as GitHub renders it; `name` is its path below the project's root."""

    name: str

    @property
    def path(self) -> Path:
        """The file."""
        return ROOT / self.name

    @cached_property
    def text(self) -> str:
        """Content of the file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def without_blocks(self) -> str:
        """Content without fenced code blocks."""
        return re.sub(r"^```.*?^```$", "", self.text, flags=re.DOTALL | re.MULTILINE)

    def code_blocks(self, language: str) -> list[str]:
        """Return the code blocks of a language; "" for those that name none."""
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)
        return [block for name, block in blocks if name == language]

    def inline_code(self) -> list[str]:
        """Return every text in backticks outside code blocks."""
        return re.findall(r"`([^`\n]+)`", self.without_blocks)

    def section(self, heading: str) -> str:
        """Return the text below a heading of the second level, up to the next one."""
        return self.text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]

    def anchors(self) -> set[str]:
        """Return the anchors of all headings, as GitHub derives them."""
        headings = re.findall(r"^#+ (.+)$", self.without_blocks, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def links(self) -> list[str]:
        """Return the targets of all links and pictures."""
        return re.findall(r"\]\(([^)\s]+)\)", self.without_blocks)

    @cached_property
    def prose(self) -> str:
        """The text as one line, without code, targets of links, and rows of tables."""
        text = re.sub(r"`[^`]*`|\]\([^)]*\)|^\|.*$|^    .*$", " ", self.without_blocks, flags=re.MULTILINE)
        return " ".join(text.split())


def table_cells(text: str) -> dict[str, str]:
    """Return the second cell of every table row whose first cell is a name in backticks, by that name."""
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]+?) \|", text, re.MULTILINE))


README = MarkdownPage("README.md")
CONTRIBUTING = MarkdownPage("CONTRIBUTING.md")
CHANGELOG = MarkdownPage("CHANGELOG.md")
DOCS = tuple(MarkdownPage(f"docs/{path.name}") for path in sorted((ROOT / "docs").glob("*.md")))
# Pages that explain how to use or change the project; what they say is tested.
GUIDES = (README, *DOCS, CONTRIBUTING)


def doc(name: str) -> MarkdownPage:
    """Return a page of `docs/` by its name without suffix."""
    return next(page for page in DOCS if page.path.stem == name)
