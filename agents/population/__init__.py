"""Populations: agents that train side by side and copy from each other, inside their own processes.

Nothing is restarted for a copy, and Ray Tune knows nothing of it. Every member posts how it stands on a
board, a small actor; now and then it looks there for a better one, takes its weights from object store to
object store, and goes on. `paper_pbt` and `pbt` are rules of when, from whom, and what else changes.
"""
