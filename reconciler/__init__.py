"""Keeps fine-tuning jobs equal to YAML in Git."""

__version__ = "0.1.0"
