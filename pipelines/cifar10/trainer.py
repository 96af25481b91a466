"""Examples -> a trained, exported classifier, for TFX's `Trainer(run_fn="pipelines.cifar10.trainer.run_fn")`."""

import logging
import math
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from tfx.components.trainer.fn_args_utils import FnArgs

from components.cifar10_example_gen.cifar10_format import IMAGE_SHAPE
from components.common.errors import MonitorError, require
from components.common.strict_text import parse_json

from ..progress import PROGRESS_LOGGER
from .classifier import DEFAULT_LEARNING_RATES, build, fit_whitening
from .config import CLASS_NAMES_KEY, TRAINER_KEY, TrainerConfig, default_spec
from .serving_signatures import Projection, export, fit_projection, with_features
from .streamed_data import training_split
from .training_data import TrainingSplit

_progress = logging.getLogger(PROGRESS_LOGGER)

_WARM_UP = 0.15  # proportion of all steps in which the learning rate rises
_WARM_UP_START = 0.05  # of the learning rate


def run_fn(fn_args: FnArgs) -> None:
    """Trains on the split train, and exports to `fn_args.serving_model_dir`.

    Early stopping looks at a part of the training split; the evaluation split is never read.

    Args:
      fn_args: of these, `train_files`, `serving_model_dir`, `model_run_dir` (TensorBoard logs) and `custom_config` are
        used, see `TRAINER_KEY` and `CLASS_NAMES_KEY`. The names default to CIFAR-10's.

    Raises:
      MonitorError: the configuration or the examples break a rule, or the loss stopped being a number.

    """
    # a number of steps that is silently not obeyed would be worse than an error
    rule = "not be given: `trainer.epochs` says how long to train"
    require(not fn_args.train_steps, "train_args.num_steps", rule, fn_args.train_steps)
    config = read_config(fn_args.custom_config)
    class_names = read_class_names(fn_args.custom_config)
    keras.utils.set_random_seed(config.seed)
    fraction, seed = config.validation_fraction, config.seed
    data = training_split(fn_args.train_files, IMAGE_SHAPE, len(class_names), held_out=fraction, seed=seed)
    model = build(config.model, classes=len(class_names), image_shape=IMAGE_SHAPE, weights=config.weights)
    fit_whitening(model, data.some)
    fit(model, data, config, fn_args.model_run_dir)
    export(model, _projection(model, data.some), class_names, fn_args.serving_model_dir)


def read_config(custom_config: dict[str, Any] | None) -> TrainerConfig:
    """The `TrainerConfig` in a Trainer's `custom_config`, the default one where it has none."""
    text = (custom_config or {}).get(TRAINER_KEY, "{}")
    try:
        return TrainerConfig.model_validate_json(text)
    except ValidationError as error:
        raise MonitorError(f"`custom_config[{TRAINER_KEY!r}]` must be a TrainerConfig as JSON: {error}") from error


def read_class_names(custom_config: dict[str, Any] | None) -> list[str]:
    """The class names in a Trainer's `custom_config`, CIFAR-10's where it has none."""
    text = (custom_config or {}).get(CLASS_NAMES_KEY)
    if text is None:
        return list(default_spec().classes)
    try:
        names = parse_json(text)
    except (TypeError, ValueError):
        names = None
    valid = isinstance(names, list) and len(names) >= 2 and all(isinstance(name, str) for name in names)
    if not valid or len(set(names)) < len(names):
        rule = "be a JSON list of two or more different names"
        raise MonitorError(f"`custom_config[{CLASS_NAMES_KEY!r}]` must {rule}. Received: {text!r}")
    return list(names)


def fit(model: keras.Model, data: TrainingSplit, config: TrainerConfig, log_dir: str) -> None:
    """Trains `model` in place and leaves it with the weights of its best epoch by validation loss.

    Writes TensorBoard logs to `log_dir`, and one line an epoch to the logger `PROGRESS_LOGGER`.
    """
    batches = data.batches(batch_size=config.batch_size, seed=config.seed, augment=config.augment)
    peak = config.learning_rate or DEFAULT_LEARNING_RATES[config.model]
    model.compile(
        optimizer=keras.optimizers.AdamW(
            _schedule(peak, len(batches) * config.epochs), weight_decay=config.weight_decay
        ),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing),
        metrics=["accuracy"],
    )
    callbacks = [
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.EarlyStopping(patience=config.patience, restore_best_weights=True),
        keras.callbacks.TensorBoard(log_dir, write_graph=False),
        _ProgressLines(config.epochs),
    ]
    history = model.fit(
        batches,
        epochs=config.epochs,
        validation_data=data.validation(),
        callbacks=callbacks,
        verbose=0,
    ).history
    losses = [*history["loss"], *history.get("val_loss", [])]
    if not all(math.isfinite(loss) for loss in losses):
        raise MonitorError(f"Training diverged: the loss is not finite. Lower `trainer.learning_rate` (now {peak}).")


def _schedule(peak: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Rises linearly to `peak`, then falls along a cosine to 0 at the last of `steps`."""
    warm_up = max(1, int(steps * _WARM_UP))
    return keras.optimizers.schedules.CosineDecay(
        peak * _WARM_UP_START, max(1, steps - warm_up), warmup_target=peak, warmup_steps=warm_up
    )


class _ProgressLines(keras.callbacks.Callback):
    """Says after each epoch how training stands."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        shown = "  ".join(f"{name} {(logs or {})[name]:.3f}" for name in ("loss", "accuracy", "val_accuracy"))
        _progress.info("epoch %d/%d  %s", epoch + 1, self._epochs, shown)


def _projection(model: keras.Model, images: npt.NDArray[np.uint8]) -> Projection:
    """Fitted on images as they are served, so without augmentation."""
    _, features = with_features(model).predict(images, batch_size=500, verbose=0)
    return fit_projection(features)
