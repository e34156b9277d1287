"""Our modules under RLlib's own algorithms: their runners, connectors and learners."""
