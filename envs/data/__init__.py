"""Data that tasks draw from: handwritten digits, files of others (IDX, .pth), splits by content."""
