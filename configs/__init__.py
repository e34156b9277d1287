"""Experiments as YAML files, one per experiment, shipped with the package."""
