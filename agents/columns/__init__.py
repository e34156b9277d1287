"""The columnar path: lanes are stepped together, and fragments of T steps of B lanes travel as arrays.

Environment runner, episodes, metrics, learner and settings that all our algorithms share; what they optimise
is in `agents.actor_critic` and `agents.supervised`.
"""
