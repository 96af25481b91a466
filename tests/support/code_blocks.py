"""The code blocks of README.md and docs/, and what the HTML comment right above one says of it.

A block says its language. Without a comment `python` and `sh` blocks are run and `console` blocks (`$ command`, then
what it prints) are run and compared. A comment may say:

  not run: REASON             a reader could not run it here and now either; its commands are still checked to exist
  run by FILE[: NAME]         that test runs it, taking it from the page by `named`, or reading the page itself
  exit code N                 the commands end so
  read as KIND                of `yaml`, `json` and `pbtxt`: what it is, which decides what reads it
  example output              of `text`: it is what the block before prints, on another machine or other data
  folders                     of `text`: a tree of the repository; every name in it is there
  layout, formula             of `text`: a tree of something else; mathematics
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

REPOSITORY = Path(__file__).resolve().parents[2]
_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->\s*", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One code block: where it is, its language, its text, and the comment above it ("" for none)."""

    page: str
    line: int
    language: str
    text: str
    note: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def reason_not_run(self) -> str:
        """Why nothing runs it; "" where something does."""
        return self._after("not run: ")

    @property
    def run_by(self) -> tuple[str, str]:
        """The test that runs it, a path from the repository's root, and the name it has there; "" for none."""
        path, _, name = self._after("run by ").partition(": ")
        return path, name

    @property
    def exit_code(self) -> int:
        return int(self._after("exit code ") or 0)

    @property
    def read_as(self) -> str:
        return self._after("read as ")

    @property
    def commands(self) -> list[str]:
        """The command lines of a `sh` or `console` block, without comments and prompts."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        bare = (re.sub(r"(^|\s+)#.*$", "", line).strip() for line in lines)
        return [line for line in bare if line]

    def _after(self, start: str) -> str:
        return self.note[len(start) :] if self.note.startswith(start) else ""


def pages() -> list[str]:
    """README.md and every page below docs, by their paths from the repository's root."""
    found = sorted((REPOSITORY / "docs").rglob("*.md"))
    return ["README.md", *(path.relative_to(REPOSITORY).as_posix() for path in found)]


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """The code blocks of a page, fenced or indented, in order."""
    tokens = MarkdownIt("commonmark").parse((REPOSITORY / page).read_text(encoding="utf-8"))
    found = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type in ("fence", "code_block"):
            comment = _COMMENT.fullmatch(before.content) if before is not None and before.type == "html_block" else None
            note = " ".join(comment.group(1).split()) if comment else ""
            found.append(Block(page, token.map[0] + 1, token.info.strip(), token.content, note))
    return tuple(found)


def all_blocks() -> list[Block]:
    return [block for page in pages() for block in blocks(page)]


def named(page: str, name: str) -> Block:
    """The block of a page whose comment says that a test runs it by this name."""
    (found,) = [block for block in blocks(page) if block.run_by[1] == name]
    return found


def labels(text: str) -> set[str]:
    """What the lines of an output start with, where two spaces or more follow: the labels of its rows, no numbers."""
    return set(re.findall(r"^([^\W\d]\S*(?: \S+)*) {2,}\S", text, re.MULTILINE))
