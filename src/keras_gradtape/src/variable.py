"""Keras's Variable, holding a gradtape variable."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras.src.backend.common import KerasVariable

import gradtape as tf


class Variable(KerasVariable):
    """A Keras variable. ``handle`` is the gradtape variable that tapes watch and functions capture."""

    def _initialize(self, value: Any) -> None:
        if isinstance(value, tf.Variable):
            self._value = value
            return
        with tf.init_scope():  # also where a layer is built while a function is traced
            value = self._convert_to_tensor(value, self._dtype)
            self._value = tf.Variable(value, trainable=self._trainable, name=self._name)

    def _initialize_with_initializer(self, initializer: Any) -> None:
        with tf.init_scope():
            super()._initialize_with_initializer(initializer)

    def _deferred_initialize(self) -> None:
        with tf.init_scope():
            super()._deferred_initialize()

    @property
    def shape(self) -> Any:
        """The shape, as a TensorShape: programs ask a weight for ``v.shape.as_list()`` and ``v.shape.num_elements()``."""
        return tf.TensorShape(super().shape)

    def _direct_assign(self, value: Any) -> None:
        self._value.assign(tf.cast(value, self._value.dtype))

    def _convert_to_tensor(self, value: Any, dtype: Any = None) -> Any:
        from .ops.core import convert_to_tensor

        return convert_to_tensor(value, dtype=dtype)

    @property
    def handle(self) -> Any:
        """The gradtape variable."""
        return self._value

    @property
    def trainable(self) -> bool:
        """Whether optimizers change it and tapes watch it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: Any) -> None:
        self._trainable = bool(value)
        if isinstance(self._value, tf.Variable):
            self._value._set_trainable(self._trainable)

    def numpy(self) -> np.ndarray:
        """The value as an array."""
        return np.array(self)

    def _to_tensor(self) -> Any:
        return tf.convert_to_tensor(self.value)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        a = np.asarray(tf.convert_to_tensor(self.value))
        return np.array(a, dtype=dtype) if dtype is not None or copy else a
