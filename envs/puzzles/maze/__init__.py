"""Mazes: mark the only way from start to goal."""
