"""fit, evaluate and predict on gradtape: forward pass, gradient, update and metrics of a step are one compiled program."""

from __future__ import annotations

import warnings
from collections.abc import Callable
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

from .ops.core import convert_to_numpy


def _rows(x: Any) -> int:
    """The number of rows in a batch."""
    return next(i for i in tree.flatten(x) if i is not None).shape[0]


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

    def train_step(self, data: Any) -> dict:
        """One step of training on a batch; returns the metrics."""
        x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(data)
        weights = self.trainable_weights
        with tf.GradientTape() as tape:
            y_pred = self._predicted(x, True)
            loss = self._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss) if self.optimizer is not None else loss
        self._loss_tracker.update_state(loss, sample_weight=_rows(x))
        if weights:
            self.optimizer.apply(tape.gradient(scaled, weights), weights)
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> dict:
        """One step of evaluation on a batch; returns the metrics."""
        x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(data)
        y_pred = self._predicted(x, False)
        loss = self._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=False)
        self._loss_tracker.update_state(loss, sample_weight=_rows(x))
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """The outputs for a batch."""
        x, _, _ = data_adapter_utils.unpack_x_y_sample_weight(data)
        return self._predicted(x, False)

    # -- steps as programs ------------------------------------------------------------------------------------------------
    def _compiled(self, step: Callable, many: Callable) -> Callable:
        """A function of a list of batches. Batches of one form go into one program as a loop over them."""
        if self.run_eagerly:
            return lambda batches: many(_as_tensors(batches), step)
        one = tf.function(lambda data: step(data), autograph=False)
        if self.steps_per_execution == 1:
            return lambda batches: one(batches[0])
        several = tf.function(lambda *batches: many(batches, step), autograph=False)
        return lambda batches: several(*batches) if len(batches) > 1 else one(batches[0])

    def make_train_function(self, force: bool = False) -> Any:
        """Prepare ``train_function``."""
        if self.train_function is None or force:
            self.train_function = self._compiled(self.train_step, _last)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Any:
        """Prepare ``test_function``."""
        if self.test_function is None or force:
            self.test_function = self._compiled(self.test_step, _last)
        return self.test_function

    def make_predict_function(self, force: bool = False) -> Any:
        """Prepare ``predict_function``."""
        if self.predict_function is None or force:
            self.predict_function = self._compiled(self.predict_step, _joined)
        return self.predict_function

    # -- loops over the data ----------------------------------------------------------------------------------------------
    def _iterator(self, x: Any, **options: Any) -> EpochIterator:
        return EpochIterator(x=x, steps_per_execution=self.steps_per_execution, **options)

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
        self._symbolic_build(iterator=batches)
        batches.reset()
        calls = self._callbacks(callbacks, verbose, add_history=True, epochs=epochs, steps=batches.num_batches)
        self.stop_training = False
        self.make_train_function()
        self._eval_epoch_iterator = None
        training_logs: dict = {}
        calls.on_train_begin()
        for epoch in range(self._initial_epoch or initial_epoch, epochs):
            self.reset_metrics()
            calls.on_epoch_begin(epoch)
            logs = self._epoch(
                batches, calls.on_train_batch_begin, self.train_function, calls.on_train_batch_end, "stop_training"
            )
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

    def _epoch(self, batches: EpochIterator, begin: Callable, run: Callable, end: Callable, stop: str) -> Any:
        """Run over the batches once; the last step's logs."""
        logs: Any = {}
        for begin_step, end_step, data in batches:
            begin(begin_step)
            logs = run(data)
            end(end_step, logs)
            if getattr(self, stop):
                break
        return logs

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
        self._symbolic_build(iterator=batches)
        batches.reset()
        calls = self._callbacks(callbacks, verbose, epochs=1, steps=batches.num_batches)
        self.make_test_function()
        self.stop_evaluating = False
        calls.on_test_begin()
        self.reset_metrics()
        logs = self._epoch(
            batches, calls.on_test_batch_begin, self.test_function, calls.on_test_batch_end, "stop_evaluating"
        )
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

        def end(step: int, outputs: Any) -> None:
            parts.append(outputs)
            calls.on_predict_batch_end(step, {"outputs": outputs})

        calls.on_predict_begin()
        self._epoch(batches, calls.on_predict_batch_begin, self.predict_function, end, "stop_predicting")
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
        return self._on_batch((x, y, sample_weight), self.make_train_function, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of one batch; see ``keras.Model.test_on_batch``."""
        self._assert_compile_called("test_on_batch")
        return self._on_batch((x, y, sample_weight), self.make_test_function, return_dict)

    def _on_batch(self, data: tuple, make: Callable, return_dict: bool) -> Any:
        data = _as_tensors(data)
        self._symbolic_build(data_batch=data)
        run = make()
        self.reset_metrics()
        logs = pythonify_logs(run([data]))
        return logs if return_dict else self._flatten_metrics_in_order(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch as arrays."""
        return tree.map_structure(convert_to_numpy, self.make_predict_function()([(_as_tensors(x),)]))


def _as_tensors(data: Any) -> Any:
    from .ops.core import convert_to_tensor

    return tree.map_structure(lambda v: v if v is None else convert_to_tensor(v), data)


def _last(batches: Any, step: Callable) -> Any:
    """The step on each batch; the last one's logs. Traced over batches of one form it is one loop."""
    logs = None
    for data in batches:
        logs = step(data)
    return logs


def _joined(batches: Any, step: Callable) -> Any:
    """The step on each batch; the outputs joined."""
    outs = [step(data) for data in batches]
    return outs[0] if len(outs) == 1 else tree.map_structure(lambda *parts: tf.concat(parts, axis=0), *outs)
