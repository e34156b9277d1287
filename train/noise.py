"""Keeps advice of the libraries below off the screen: what the user can act on, this package says itself."""

import logging
import warnings


def quiet() -> None:
    """Silence RLlib's, Tune's and Gymnasium's messages in this process."""
    import ray.rllib  # noqa: F401 (sets its own level when it is imported, so it comes first)

    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # it calls a trial that was interrupted an error
    warnings.filterwarnings("ignore", module=r"gymnasium\.")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
