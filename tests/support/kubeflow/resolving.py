"""What Kubeflow's API server and driver work out before a container starts: parameters, order, conditions."""

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
_KINDS = {"STRING": str, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": (int, float), "BOOLEAN": bool, "LIST": list,
          "STRUCT": dict}  # fmt: skip


class RefusedError(Exception):
    """What the API server, the driver or the launcher refuses, in words."""


def run_parameters(spec: Json, given: Mapping[str, Any]) -> Json:
    """The parameters of a run with their defaults. Raises `RefusedError` as the API server does."""
    defined = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    if unknown := sorted(set(given) - set(defined)):
        raise RefusedError(f"Input parameter is not defined in the pipeline: {', '.join(unknown)}")
    values = {}
    for key, said in defined.items():
        if key in given:
            values[key] = given[key]
        elif "defaultValue" in said:
            values[key] = said["defaultValue"]
        elif not said.get("isOptional"):
            raise RefusedError(f"Parameter {key} has neither a value nor a default")
        kind = said["parameterType"]
        if key in values and (not isinstance(values[key], _KINDS[kind]) or (kind != "BOOLEAN" and values[key] is True)):
            raise RefusedError(f"Parameter {key} must be of type {kind}. Received: {values[key]!r}")
    return values


def fill_defaults(given: Json, component: Json) -> None:
    """As the launcher adds the defaults of a component, and nothing else."""
    values = given["inputs"]["parameterValues"]
    for key, said in component.get("inputDefinitions", {}).get("parameters", {}).items():
        if key not in values and "defaultValue" in said:
            values[key] = said["defaultValue"]
    for key, value in values.items():
        if is_number(value):
            values[key] = float(value)  # as protobuf has all numbers


def in_order(tasks: Json) -> list[str]:
    """The tasks, each after those that it depends on or takes something from. Raises `RefusedError` for a circle."""
    before = {name: _upstream(task) for name, task in tasks.items()}
    ordered: list[str] = []
    while len(ordered) < len(tasks):
        ready = sorted(name for name in tasks if name not in ordered and before[name] <= set(ordered))
        if not ready:
            raise RefusedError(f"tasks that wait for each other, or for one that is not there: {before}")
        ordered.append(ready[0])
    return ordered


def _upstream(task: Json) -> set[str]:
    taken = [
        *task.get("inputs", {}).get("artifacts", {}).values(),
        *task.get("inputs", {}).get("parameters", {}).values(),
    ]
    producers = {source["producerTask"] for each in taken for source in each.values() if _names_a_task(source)}
    return producers | set(task.get("dependentTasks", []))


def _names_a_task(source: Any) -> bool:
    return isinstance(source, dict) and "producerTask" in source


def holds(condition: str, given: Json) -> bool:
    """Whether a condition in CEL lets a task run: comparisons of what it is given, with `&&`, `||` and `!`."""
    if not condition:
        return True
    python = re.sub(r"!(?!=)", " not ", condition.replace("&&", " and ").replace("||", " or "))
    try:
        return bool(eval(python, {"__builtins__": {}}, {"inputs": _Fields(given["inputs"])}))  # noqa: S307 - our own YAML
    except (KeyError, IndexError) as error:
        raise RefusedError(f"failed to evaluate the condition {condition}: no such key: {error}") from error


class _Fields:
    """A message as CEL sees it: fields are attributes, and maps and lists have items."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __getattr__(self, name: str) -> Any:
        words = name.split("_")
        return self[words[0] + "".join(word.title() for word in words[1:])]

    def __getitem__(self, key: Any) -> Any:
        found = self._value[key]
        return _Fields(found) if isinstance(found, dict | list) else found


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
