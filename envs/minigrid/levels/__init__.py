"""The levels, a file each: parameters, how an episode is drawn, and the two forms."""
