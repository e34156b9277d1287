"""Conformance checks for vector environments: any `gymnasium.vector.VectorEnv`, your own included.

Gymnasium's `check_env` is for single environments; this does the same for the batched form. Give it an id, or
a callable that takes the number of lanes:

    from functools import partial

    require_vector_env("engram/TMaze-v0", level=0, teleport_delay=2, limbo_time=3, timeout_frames=60)
    for result in check_vector_env(partial(MyVectorEnv, size=5)):
        print(result)

Promises come from Gymnasium's documentation of `VectorEnv` and of autoreset, and from what its
`SyncVectorEnv` and `DictInfoToList` do. Two departures are known among Gymnasium 1.2's own environments, both
of the vector CartPole: its `close` does not set `closed`, its `render` returns a list.
"""

from engram.envs.conformance.checker import CheckResult, check_vector_env, require_vector_env
from engram.envs.conformance.compare import BrokenPromiseError

__all__ = ["BrokenPromiseError", "CheckResult", "check_vector_env", "require_vector_env"]
