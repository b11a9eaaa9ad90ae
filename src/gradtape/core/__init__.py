"""Tensors, variables and the one dispatch that every operation goes through."""
