"""The IBL task: which side a noisy stimulus is on, in blocks of trials that favour a side.

`rules` holds the parameters and presets, `blocks` the laws of block lengths, `session` what is drawn for a
session; `batched.BatchedIBL` plays sessions in lanes, and `single.IBL` is one such lane. `play` lets a player
play and keeps the trials; `table` makes a table of them, reads and writes it. `bayes` holds Bayesian players,
`radd` the paper's two-unit network as one, `threshold` a wrapper that acts where a probability is large.
"""
