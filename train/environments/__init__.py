"""Environments before training: find one by id or class path, try its first steps, learn its facts.

Somebody else's code runs here, in a process of its own and with a time limit (`guard`).
"""
