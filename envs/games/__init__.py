"""Games played step by step, in which something must be remembered; each in a single and a batched form."""
