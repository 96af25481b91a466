"""Links of the pages to files of the repository that are no pages: they stand as code in the site."""

import re
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:\s]+)\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page, with each link to a file outside the site replaced by its text. A link to nothing stays: an error."""
    folder = (_DOCS / page.file.src_uri).parent

    def replaced(link: re.Match[str]) -> str:
        text, target = link.groups()
        path = (folder / target).resolve()
        outside = _DOCS not in path.parents or path.suffix == ".ipynb"
        return text if outside and path.exists() else link.group()

    return _LINK.sub(replaced, markdown)
