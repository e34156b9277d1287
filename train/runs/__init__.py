"""Read records, reports, checkpoints and scores of runs from disk, without running code in them."""
