"""A compiled pipeline of one step that has a parameter of each type, for what only reads its outside."""

from pathlib import Path
from typing import Any

import yaml

PARAMETERS: dict[str, dict[str, Any]] = {
    "data": {"parameterType": "STRING"},
    "span": {"parameterType": "STRING", "defaultValue": "newest"},
    "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.01},
    "rows": {"parameterType": "NUMBER_INTEGER", "defaultValue": 5.0},
    "whole": {"parameterType": "BOOLEAN", "isOptional": True},
    "words": {"parameterType": "LIST", "isOptional": True},
    "table": {"parameterType": "STRUCT", "isOptional": True},
}


def write(file: Path, platforms: dict[str, Any] | None = None, **changed: Any) -> Path:
    """Writes it, with what other platforms are told in a second document; `changed` replaces what it has at its top."""
    documents = [
        {
            "pipelineInfo": {"name": "tiny"},
            "schemaVersion": "2.1.0",
            "sdkVersion": "tfx-1.16.0",
            "deploymentSpec": {"executors": {"One_executor": {"container": {"image": "image", "command": ["true"]}}}},
            "components": {"One": {"executorLabel": "One_executor"}},
            "root": {
                "dag": {"tasks": {"One": {"componentRef": {"name": "One"}, "taskInfo": {"name": "One"}}}},
                "inputDefinitions": {"parameters": PARAMETERS},
            },
            **changed,
        },
        *([{"platforms": platforms}] if platforms is not None else []),
    ]
    file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return file
