"""How a network solves the IBL task: plays sessions with it, analyses them, writes pictures and a page.

`network` is how a network acts and moves on, whatever its core; `material` holds what it did, and what
Bayesian players do in the same sessions. `behaviour`, `plane`, `states`, `populations`, `dynamics` and
`distilled` draw one picture each by a function, with its numbers and those of the paper; `report` writes them
all. The analyses are in `engram.envs.ibl.analyses`.
"""
