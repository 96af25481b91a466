"""Compiles the templates of pages, which takes half a second of a processor in each process that makes one."""

from components.common.pages import templating
from components.validation_report import rendering
from model_monitor.showing import comparison_page
from model_monitor.ui import pages


def compile_all() -> None:
    """Those that the environments of this process find; each keeps what it has compiled."""
    environments = [
        pages._environment(),
        *(templating._environment((module._FOLDER, templating.FOLDER)) for module in (rendering, comparison_page)),
    ]
    for environment in environments:
        for name in environment.list_templates(["jinja"]):
            environment.get_template(name)
