"""What a new task builds on: the single and the batched form, boards of characters, rendering, copies."""
