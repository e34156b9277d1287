"""Data that tasks draw from: handwritten digits, readers of published files, splits."""
