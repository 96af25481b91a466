"""A Python session for each page: its blocks run in order, in one namespace, beside names that the docs explain."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.support.code_blocks import Block, blocks


class Sessions:
    """The sessions of all pages, each in a folder of its own. A page's blocks before the asked one are run first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, dict[str, Any]] = {}
        self._assumed: dict[str, dict[str, Any]] = {}
        self._done: dict[str, int] = {}

    def run(self, block: Block) -> dict[str, Any]:
        """Runs a page up to this block, and gives what its names stand for then."""
        folder = self._folder / block.page.replace("/", "_")
        if block.page not in self._names:
            from tests.docs import assumed  # TFX, which the other tests of the docs do without

            folder.mkdir()
            self._names[block.page] = assumed.names(folder)
            self._assumed[block.page] = dict(self._names[block.page])
        names = self._names[block.page]
        own = [each for each in blocks(block.page) if each.language == "python" and each.line <= block.line]
        with _inside(folder):
            for each in own[self._done.get(block.page, 0) :]:
                code = "\n" * each.line + each.text  # so that an error names the page's own line
                exec(compile(code, each.page, "exec"), names)  # noqa: S102 - the page's own
                self._done[block.page] = self._done.get(block.page, 0) + 1
        return names

    def defined(self, page: str) -> list[Any]:
        """What a page's names stand for, those left out that it found there and did not change."""
        found, before = self._names[page], self._assumed[page]
        return [value for name, value in found.items() if before.get(name) is not value]


def compiles(values: Iterable[Any], root: Path) -> set[str]:
    """Puts the TFX components among some values into one pipeline, as TFX runs it, and gives the ids of its nodes.

    TFX raises where two nodes have one id, or an input comes from a node that is not there.
    """
    from tfx.dsl.compiler.compiler import Compiler
    from tfx.dsl.components.base.base_node import BaseNode
    from tfx.orchestration.pipeline import Pipeline

    flat = [each for value in values for each in (value if isinstance(value, list | tuple) else [value])]
    found = list(dict.fromkeys(each for each in flat if isinstance(each, BaseNode)))
    wanted = list(found)
    for node in wanted:  # with what they take, which makes the list longer while it is gone through
        makers = [getattr(channel, "producer_component", None) for channel in node.inputs.values()]
        wanted += [maker for maker in makers if maker is not None and maker not in wanted]
    compiled = Compiler().compile(Pipeline(pipeline_name="docs", pipeline_root=str(root), components=wanted))
    return {node.pipeline_node.node_info.id for node in compiled.nodes}


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
