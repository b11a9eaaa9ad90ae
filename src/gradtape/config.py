"""``tf.config``: how functions run, and what there is to run on."""

from __future__ import annotations

from typing import NamedTuple

from .tracing.function import functions_run_eagerly, run_functions_eagerly


class PhysicalDevice(NamedTuple):
    """A device of this machine."""

    name: str
    device_type: str


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of this machine: its processor.

    Args:
        device_type: "CPU", "GPU" ..., or None for all.

    >>> import gradtape as tf
    >>> tf.config.list_physical_devices("GPU")
    []
    """
    devices = [PhysicalDevice("/physical_device:CPU:0", "CPU")]
    return [d for d in devices if device_type in (None, d.device_type)]


__all__ = ["PhysicalDevice", "functions_run_eagerly", "list_physical_devices", "run_functions_eagerly"]
