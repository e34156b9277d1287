"""The five actions of all games."""

ACTIONS = 5
UP, DOWN, LEFT, RIGHT, STAY = range(ACTIONS)
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))  # rows and columns, by action
LEGAL_ACTIONS = "0 up, 1 down, 2 left, 3 right, 4 stay"
