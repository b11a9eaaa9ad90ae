"""Engines: what runs a traced graph."""
