"""Actor-critic algorithms with a swappable recurrent core, on RLlib.

`ALGORITHMS` names what `run:` may say; `make_config` turns a name and a `model:` section into RLlib's
`AlgorithmConfig`.
"""

from engram.agents.actor_critic.impala import RecurrentIMPALA, RecurrentIMPALAConfig
from engram.agents.actor_critic.ppo import RecurrentPPO, RecurrentPPOConfig
from engram.agents.algorithms import ALGORITHMS, make_config
from engram.agents.columns.results import bptt_steps_of
from engram.agents.models.choice import check_model
from engram.agents.models.encoders import ENCODERS, Encoder, EncoderOptions, make_encoder
from engram.agents.models.reader import Reader
from engram.agents.models.recurrent import ColumnarModule, ModelConfig, RecurrentModule

__all__ = [
    "ALGORITHMS",
    "ENCODERS",
    "ColumnarModule",
    "Encoder",
    "EncoderOptions",
    "ModelConfig",
    "Reader",
    "RecurrentIMPALA",
    "RecurrentIMPALAConfig",
    "RecurrentModule",
    "RecurrentPPO",
    "RecurrentPPOConfig",
    "bptt_steps_of",
    "check_model",
    "make_config",
    "make_encoder",
]
