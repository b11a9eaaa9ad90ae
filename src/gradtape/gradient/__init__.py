"""Reverse-mode differentiation: the tape, its one driver, Jacobians, custom gradients."""
