"""Sets of digits that can be shown at any resolution: drawn by strokes, or read from MNIST's files."""
