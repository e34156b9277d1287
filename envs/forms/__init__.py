"""Base classes of environments: single and batched form, boards of characters, rendering, copies."""
