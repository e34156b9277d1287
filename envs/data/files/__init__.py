"""Readers of file formats that data sets come in."""
