"""From an experiment to a plan: every setting is honoured, refused or announced before anything starts."""
