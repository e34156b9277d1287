"""Keeps advice of the libraries below off the screen: what the user can act on, this package says itself."""

import logging
import warnings


def quiet() -> None:
    """Silence RLlib's and Gymnasium's warnings in this process."""
    import ray.rllib  # noqa: F401 (sets its own level when it is imported, so it comes first)

    for name in ("ray", "ray.rllib", "ray.tune"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"gymnasium\.")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
