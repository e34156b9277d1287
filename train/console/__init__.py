"""What the user types and reads: errors of one line each, paths and files as they were named, tables.

The ground floor of `train`; nothing here knows what an experiment is.
"""
