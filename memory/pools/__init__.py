"""Pools: memories made of ever slower low-pass filters (LP-RNN)."""
