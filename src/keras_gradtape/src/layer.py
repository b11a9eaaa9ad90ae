"""What layers on gradtape have beside Keras's own."""


class GradtapeLayer:
    """Nothing yet: Keras tracks variables by itself."""
