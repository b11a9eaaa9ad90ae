"""``tf.errors``: what gradtape raises. Every class also derives from Python's nearest built-in error."""

from .ground.errors import (
    AbortedError,
    AlreadyExistsError,
    BroadcastWarning,
    CancelledError,
    ConversionError,
    DataLossError,
    DeadlineExceededError,
    DegenerateWarning,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NoneGradientError,
    NotFoundError,
    OpError,
    OutOfRangeError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
    UnknownError,
)

__all__ = [
    "AbortedError", "AlreadyExistsError", "BroadcastWarning", "CancelledError", "ConversionError", "DataLossError", "DeadlineExceededError", "DegenerateWarning", "FailedPreconditionError",
    "InternalError", "InvalidArgumentError", "NoneGradientError", "NotFoundError", "OpError", "OutOfRangeError", "PermissionDeniedError",
    "ResourceExhaustedError", "UnauthenticatedError", "UnavailableError", "UnimplementedError", "UnknownError",
]  # fmt: skip
