"""Keeps advice of the libraries below off the screen: what the user can act on, this package says itself."""

import logging
import warnings


def quiet() -> None:
    """Silence RLlib's and Gymnasium's warnings in this process. RLlib sets its own level when it is imported."""
    import ray.rllib  # noqa: F401

    for name in ("ray", "ray.rllib", "ray.tune"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"gymnasium\.")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
