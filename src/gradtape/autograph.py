"""``tf.autograph``: how ``tf.function`` turns Python control flow over tensors into graph control flow."""

from .tracing.autograph import experimental, to_code

__all__ = ["experimental", "to_code"]
