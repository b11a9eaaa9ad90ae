"""fit, evaluate and predict on gradtape: forward pass, gradient, update and metrics of a step are one compiled program."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from keras.src import callbacks as callbacks_module
from keras.src import optimizers as optimizers_module
from keras.src import tree
from keras.src.backend import config
from keras.src.trainers import trainer as base_trainer
from keras.src.trainers.data_adapters import array_slicing, data_adapter_utils
from keras.src.trainers.epoch_iterator import EpochIterator
from keras.src.utils import traceback_utils
from keras.src.utils.python_utils import pythonify_logs

import gradtape as tf

from .ops.core import convert_to_numpy, convert_to_tensor
from .steps import Rows, Steps, observed


def _length(x: Any) -> int:
    """The number of rows in a batch."""
    return next(i for i in tree.flatten(x) if i is not None).shape[0]


def _looks_up(model: Any) -> bool:
    """Whether a layer looks its inputs up with TensorFlow's tables, for which it must have their values."""
    tables = "IndexLookup", "Hashing", "HashedCrossing", "TextVectorization"
    return any(
        [
            c.__name__ in tables and c.__module__.startswith("keras.")
            for layer in model._flatten_layers()
            for c in type(layer).__mro__
        ]
    )


class GradtapeTrainer(base_trainer.Trainer):
    """The training loops of Keras models on gradtape. ``train_step(data)``, ``test_step`` and ``predict_step`` may be overridden."""

    def __init__(self) -> None:
        super().__init__()
        self.train_function: Any = None
        self.test_function: Any = None
        self.predict_function: Any = None

    # -- one step ---------------------------------------------------------------------------------------------------------
    def _predicted(self, x: Any, training: bool) -> Any:
        return self(x, training=training) if self._call_has_training_arg else self(x)

    def _predicted_for_loss(self, x: Any, training: bool) -> Any:
        y_pred = self._predicted(x, training)
        if y_pred is None and self._compile_loss is not None:
            raise ValueError(
                f"{type(self).__name__}.call returned None, and there is a loss to compute: does it lack a `return`?"
            )
        return y_pred

    def train_step(self, data: Any) -> dict:
        """One step of training on a batch; returns the metrics."""
        x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(data)
        weights = self.trainable_weights
        with tf.GradientTape() as tape:
            y_pred = self._predicted_for_loss(x, True)
            loss = self._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss) if self.optimizer is not None else loss
        self._loss_tracker.update_state(loss, sample_weight=_length(x))
        if weights:
            self.optimizer.apply(tape.gradient(scaled, weights), weights)
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> dict:
        """One step of evaluation on a batch; returns the metrics."""
        x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(data)
        y_pred = self._predicted_for_loss(x, False)
        loss = self._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=False)
        self._loss_tracker.update_state(loss, sample_weight=_length(x))
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """The outputs for a batch."""
        x, _, _ = data_adapter_utils.unpack_x_y_sample_weight(data)
        return self._predicted(x, False)

    # -- steps as programs ------------------------------------------------------------------------------------------------
    def _compiled(self, step: Callable, joined: bool = False) -> Callable:
        """A function of a list of batches."""
        if not self.run_eagerly and not _looks_up(self):
            return Steps(lambda data: step(data), joined)
        run = _joined if joined else _last
        return lambda batches: run([step(_as_tensors(data)) for data in batches])

    def make_train_function(self, force: bool = False) -> Any:
        """Prepare ``train_function``."""
        if self.train_function is None or force:
            self.train_function = self._compiled(self.train_step)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Any:
        """Prepare ``test_function``."""
        if self.test_function is None or force:
            self.test_function = self._compiled(self.test_step)
        return self.test_function

    def make_predict_function(self, force: bool = False) -> Any:
        """Prepare ``predict_function``."""
        if self.predict_function is None or force:
            self.predict_function = self._compiled(self.predict_step, joined=True)
        return self.predict_function

    def _prepare(self, step: str, iterator: Any = None, data_batch: Any = None) -> None:
        """Make the variables that are not there yet, by calling the model on symbolic data.

        A step of the user's need not call the model, nor with these data: what it needs is made while it is traced.
        """
        if getattr(type(self), step) is getattr(GradtapeTrainer, step):
            self._symbolic_build(iterator=iterator, data_batch=data_batch)
        if iterator is not None:
            iterator.reset()

    # -- loops over the data ----------------------------------------------------------------------------------------------
    def _iterator(self, x: Any, **options: Any) -> EpochIterator:
        size = options.get("batch_size")
        if size is not None and size < 1:
            raise ValueError(f"batch_size must be at least 1, not {size}.")
        batches = EpochIterator(x=x, steps_per_execution=self.steps_per_execution, **options)
        if batches.num_batches == 0:
            raise ValueError("There are no data: the inputs have no rows.")
        return batches

    def _callbacks(self, callbacks: Any, verbose: Any, **options: Any) -> Any:
        if isinstance(callbacks, callbacks_module.CallbackList):
            return callbacks
        return callbacks_module.CallbackList(
            callbacks, add_progbar=verbose != 0, verbose=verbose, model=self, **options
        )

    @traceback_utils.filter_traceback
    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1, verbose: Any = "auto", callbacks: Any = None,
            validation_split: float = 0.0, validation_data: Any = None, shuffle: bool = True, class_weight: Any = None, sample_weight: Any = None,
            initial_epoch: int = 0, steps_per_epoch: int | None = None, validation_steps: int | None = None, validation_batch_size: int | None = None,
            validation_freq: int = 1) -> Any:  # fmt: skip
        """Train the model; see ``keras.Model.fit``."""
        self._assert_compile_called("fit")
        max_epochs = config.max_epochs()
        if max_epochs and max_epochs < epochs:
            warnings.warn(f"Limiting epochs to {max_epochs}", stacklevel=2)
            epochs = max_epochs
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = array_slicing.train_validation_split(
                (x, y, sample_weight), validation_split=validation_split
            )
        validation = None
        if validation_data is not None:
            val_x, val_y, val_weight = data_adapter_utils.unpack_x_y_sample_weight(validation_data)
            validation = {
                "x": val_x,
                "y": val_y,
                "sample_weight": val_weight,
                "batch_size": validation_batch_size or batch_size,
            }
        batches = self._iterator(x, y=y, sample_weight=sample_weight, batch_size=batch_size, steps_per_epoch=steps_per_epoch, shuffle=shuffle,
                                 class_weight=class_weight)  # fmt: skip
        self._prepare("train_step", iterator=batches)
        calls = self._callbacks(callbacks, verbose, add_history=True, epochs=epochs, steps=batches.num_batches)
        self.stop_training = False
        rows = self._rows(batches, self.make_train_function(), calls, "train")
        self._eval_epoch_iterator = None
        training_logs: dict = {}
        calls.on_train_begin()
        for epoch in range(self._initial_epoch or initial_epoch, epochs):
            self.reset_metrics()
            calls.on_epoch_begin(epoch)
            logs = self._epoch(batches, self.train_function, calls, "train", rows, epochs - epoch)
            epoch_logs = dict(self._get_metrics_result_or_logs(logs))
            if validation is not None and self._should_eval(epoch, validation_freq):
                if self._eval_epoch_iterator is None:  # made once for all epochs
                    self._eval_epoch_iterator = self._iterator(
                        **validation, steps_per_epoch=validation_steps, shuffle=False
                    )
                val_logs = self.evaluate(
                    **validation,
                    steps=validation_steps,
                    callbacks=calls,
                    return_dict=True,
                    _use_cached_eval_dataset=True,
                )
                epoch_logs.update({f"val_{name}": v for name, v in val_logs.items()})
            calls.on_epoch_end(epoch, epoch_logs)
            training_logs = epoch_logs
            if self.stop_training:
                break
        if isinstance(self.optimizer, optimizers_module.Optimizer) and epochs > 0:
            self.optimizer.finalize_variable_values(self.trainable_weights)
        self._eval_epoch_iterator = None
        calls.on_train_end(logs=training_logs)
        return self.history

    def _epoch(
        self, batches: EpochIterator, run: Callable, calls: Any, kind: str, rows: Rows | None = None, epochs: int = 1
    ) -> Any:
        """Run over the batches once; the last step's logs.

        Args:
            batches: the data.
            run: what to do with a list of batches.
            calls: the callbacks.
            kind: "train", "test" or "predict".
            rows: the same data, if they may be taken many batches at a time.
            epochs: that are still to come, with this one.
        """
        begin, end = getattr(calls, f"on_{kind}_batch_begin"), getattr(calls, f"on_{kind}_batch_end")
        stop = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}[kind]
        logs: Any = {}
        steps = batches if rows is None else self._blocks(rows, run, epochs)
        for first, last, data in steps:
            begin(first)
            logs = run(data) if rows is None else data()
            end(last, logs)
            if getattr(self, stop):
                break
        return logs

    def _blocks(self, rows: Rows, run: Any, epochs: int) -> Iterator[tuple[int, int, Callable]]:
        """First and last step and the work, for blocks of steps."""
        rows.shuffle()
        i, room = 0, 0
        while i < rows.count:
            if i < rows.full and (not room or run.loses):
                room = run.in_block(rows.full, rows.nbytes, rows.count * epochs - i)
                room = 0 if room == 1 else room
            if room and i < rows.full:
                n = min(room, rows.full - i)
                yield i, i + n - 1, lambda: run.timed_block(n, rows.block(i, n, room))  # noqa: B023
            else:
                n = 1
                yield i, i, lambda: run.timed(rows.one(i))  # noqa: B023
            i += n

    def _rows(self, batches: EpochIterator, run: Any, calls: Any, kind: str) -> Rows | None:
        """The data, if many batches may be taken at a time: nobody looks between them, and they can be read ahead."""
        if not isinstance(run, Steps) or self.steps_per_execution > 1 or observed(calls, kind):
            return None
        return Rows.of(batches)

    @traceback_utils.filter_traceback
    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: Any = "auto", sample_weight: Any = None,
                 steps: int | None = None, callbacks: Any = None, return_dict: bool = False, **kwargs: Any) -> Any:  # fmt: skip
        """Loss and metrics over the data; see ``keras.Model.evaluate``."""
        self._assert_compile_called("evaluate")
        cached = kwargs.pop("_use_cached_eval_dataset", False)
        if kwargs:
            raise ValueError(f"Arguments not recognized: {kwargs}")
        batches = self._eval_epoch_iterator if cached else self._iterator(
            x, y=y, sample_weight=sample_weight, batch_size=batch_size, steps_per_epoch=steps, shuffle=False)  # fmt: skip
        self._prepare("test_step", iterator=batches)
        calls = self._callbacks(callbacks, verbose, epochs=1, steps=batches.num_batches)
        rows = self._rows(batches, self.make_test_function(), calls, "test")
        self.stop_evaluating = False
        calls.on_test_begin()
        self.reset_metrics()
        logs = self._epoch(batches, self.test_function, calls, "test", rows)
        logs = pythonify_logs(self._get_metrics_result_or_logs(logs))
        calls.on_test_end(logs)
        return logs if return_dict else self._flatten_metrics_in_order(logs)

    @traceback_utils.filter_traceback
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The model's outputs for the data, as arrays; see ``keras.Model.predict``."""
        batches = self._iterator(x, batch_size=batch_size, steps_per_epoch=steps, shuffle=False)
        calls = self._callbacks(callbacks, verbose, epochs=1, steps=batches.num_batches)
        self.make_predict_function()
        self.stop_predicting = False
        parts: list[Any] = []

        def run(data: list) -> dict:
            parts.append(self.predict_function(data))
            return {"outputs": parts[-1]}

        calls.on_predict_begin()
        self._epoch(batches, run, calls, "predict")
        calls.on_predict_end()
        arrays = [tree.map_structure(convert_to_numpy, p) for p in parts]
        return arrays[0] if len(arrays) == 1 else tree.map_structure(lambda *a: np.concatenate(a), *arrays)

    # -- single batches ---------------------------------------------------------------------------------------------------
    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step of training; see ``keras.Model.train_on_batch``."""
        self._assert_compile_called("train_on_batch")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError(
                    "Arguments `sample_weight` and `class_weight` cannot be specified at the same time. "
                    f"Received: sample_weight={sample_weight}, class_weight={class_weight}"
                )
            sample_weight = data_adapter_utils.class_weight_to_sample_weights(y, class_weight)
        return self._on_batch((x, y, sample_weight), "train_step", self.make_train_function, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of one batch; see ``keras.Model.test_on_batch``."""
        self._assert_compile_called("test_on_batch")
        return self._on_batch((x, y, sample_weight), "test_step", self.make_test_function, return_dict)

    def _on_batch(self, data: tuple, step: str, make: Callable, return_dict: bool) -> Any:
        data = _as_tensors(data)
        self._prepare(step, data_batch=data)
        run = make()
        self.reset_metrics()
        logs = pythonify_logs(run([data]))
        return logs if return_dict else self._flatten_metrics_in_order(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch as arrays."""
        return tree.map_structure(convert_to_numpy, self.make_predict_function()([(_as_tensors(x),)]))


def _as_tensors(data: Any) -> Any:
    return tree.map_structure(lambda v: v if v is None else convert_to_tensor(v), data)


def _last(outs: list) -> Any:
    return outs[-1]


def _joined(outs: list) -> Any:
    return outs[0] if len(outs) == 1 else tree.map_structure(lambda *parts: tf.concat(parts, axis=0), *outs)
