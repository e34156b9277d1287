"""Grid levels of MiniGrid and BabyAI, batched in NumPy; the package `minigrid` is not needed.

Every level is a `GridLevel` (`level`): its parameters, and `draw`, which draws a `Layout` from a lane's own
generator by the same calls in the same order as minigrid 3.2.0 does. `BatchedGrid` (`batched`) plays layouts
in B lanes: `world` is what actions do, on tables (`rules`) over one code a cell (`cells`); `view` is what the
agent sees; `objectives` is what ends an episode; `mission` are the words. With the same seed and default
parameters all of it equals minigrid in `SyncVectorEnv(..., autoreset_mode=SAME_STEP)`, frame for frame.
"""
