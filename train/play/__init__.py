"""An environment in a terminal, played by hand: the session, the keys, the screen."""
