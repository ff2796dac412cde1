"""Layers of the core."""
