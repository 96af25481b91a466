"""Loads the model that is to be pushed in a process of its own, asks it, and judges what it answers."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

from ..common.artifacts.examples import split_records
from ..common.artifacts.files import Artifact, Files
from ..common.artifacts.model_files import saved_model_folder
from ..common.artifacts.splits import named_splits
from ..common.artifacts.tf_example import parse_example
from ..common.errors import MonitorError
from ..common.model_spec import ModelSpec
from ..common.verdict import Check, Effect, Finding
from ..served_model.asking import Asker, Question
from ..served_model.model_process import Bounds, ModelProcess, TimeOutError, TooLargeError
from ..served_model.questions import UnusableImageError, image_in
from ..served_model.tensors import Askable, Batch, ModelFailedError
from . import canary
from .policy import CanaryPolicy

_SPLIT = "eval"  # of the examples, where there is one of this name; otherwise the first
_READ_PER_IMAGE = 20  # examples read at most for each that is wanted, should many be unusable
_Asked = Iterator[tuple[str, int, Batch]]  # what a batch is, its size, and what the model answered


def judge_model(
    model: Artifact, examples: Sequence[Artifact], policy: CanaryPolicy, spec: ModelSpec | None, files: Files
) -> Check:
    """The check of a `Model`: does it load, and does it answer properly, within the time and memory that it has?

    Args:
      model: the artifact.
      examples: `Examples` to ask it about; without any, batches are made up.
      policy: what is asked and wanted.
      spec: the model's; None where the policy alone says what it gives.
      files: how examples are read.

    """
    if not policy.run:
        return canary.skipped()
    try:
        with ModelProcess(saved_model_folder(model, files), Bounds(policy.timeout, policy.memory)) as process:
            return judge_signature(process.signature(policy.signature), examples, policy, spec, files)
    except ModelFailedError as error:
        return canary.judge([_failed(error)], 0, policy)
    except MonitorError as error:  # there is no such process, or not one model
        return canary.judge([canary.unusable(str(error), effect=Effect.UNDECIDED)], 0, policy)


def judge_signature(
    signature: Askable, examples: Sequence[Artifact], policy: CanaryPolicy, spec: ModelSpec | None, files: Files
) -> Check:
    """The check of a model that has been loaded, as `judge_model`."""
    try:
        asker = Asker(signature, spec) if spec is not None else None
    except MonitorError as error:
        return canary.judge([canary.unusable(str(error))], 0, policy)
    if asker is not None and examples:
        return _judge(_about_examples(asker, examples, policy, files), policy, "batches of held-out examples")
    return _judge(_about_made_up(signature, policy), policy, "made-up batches")


def _judge(asked: _Asked, policy: CanaryPolicy, kind: str) -> Check:
    found: list[tuple[str, Finding]] = []
    stopped: list[Finding] = []
    runs = 0
    try:
        for batch, size, outputs in asked:
            found += [(batch, finding) for finding in canary.check(outputs, size, policy)]
            runs += 1
    except ModelFailedError as error:
        stopped = [_failed(error)]
    except MonitorError as error:  # the model may be fine, but there is nothing to ask it
        stopped = [canary.unusable(str(error), effect=Effect.UNDECIDED)]
    return canary.judge([*stopped, *canary.once(found)], runs, policy, kind=kind)


def _failed(error: ModelFailedError) -> Finding:
    settings = {TimeOutError: "timeout", TooLargeError: "memory"}
    named = f" (canary.{settings[type(error)]})" if type(error) in settings else ""
    return canary.unusable(f"{error}{named}")


def _about_made_up(signature: Askable, policy: CanaryPolicy) -> _Asked:
    for name, size, batch in canary.batches(signature.inputs, policy):
        yield name, size, signature(batch)


def _about_examples(asker: Asker, examples: Sequence[Artifact], policy: CanaryPolicy, files: Files) -> _Asked:
    """Batches of the sizes that the policy wants, of the first examples, again from the front where they are few."""
    most = max(policy.batch_sizes)
    records = itertools.islice(_records(examples, files), _READ_PER_IMAGE * most)
    questions = list(itertools.islice(_questions(asker, records), most))
    if not questions:
        known = [each.known_as for each in examples]
        raise MonitorError(
            f"the examples must hold an image that the model can be asked about. Received: none in {known}"
        )
    for size in policy.batch_sizes:
        chosen = list(itertools.islice(itertools.cycle(questions), size))
        for answer in asker.ask(chosen, size):
            yield f"held-out examples, batch of {size}", len(answer.rows), answer.outputs


def _questions(asker: Asker, records: Iterable[bytes]) -> Iterator[Question]:
    for record in records:
        try:
            yield asker.question(image_in(parse_example(record), asker.spec.image.feature), record)
        except UnusableImageError:
            continue  # HeldOutScorer and ImageStatisticsGen count these


def _records(examples: Sequence[Artifact], files: Files) -> Iterator[bytes]:
    for artifact in examples:
        splits = named_splits(artifact)
        split = _SPLIT if _SPLIT in splits else next(iter(splits), "")
        try:
            yield from split_records(artifact, split, files)
        except MonitorError as error:
            raise MonitorError(f"{artifact.known_as} must hold examples that can be read. Received: {error}") from error
