"""`python -m engram.train` is the `rllib` command."""

from engram.train.cli import main

if __name__ == "__main__":
    main()
