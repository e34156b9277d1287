"""What runs leave on disk: records, reports, checkpoints, scores. Looking at them runs no code in them."""
