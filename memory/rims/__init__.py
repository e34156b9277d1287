"""Recurrent Independent Mechanisms: small recurrent modules that compete for the input."""
