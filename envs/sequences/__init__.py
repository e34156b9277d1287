"""Sequences of symbols with a target per step: copying, temporal order, digits pixel by pixel.

A task (`task.SequenceTask`) draws whole sequences; `batched.BatchedSequences` plays them in lanes, and
`single.SingleSequence` is one such lane. A new kind of sequences is a task and its two forms.
"""
