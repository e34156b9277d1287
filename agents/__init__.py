"""Actor-critic algorithms with a swappable recurrent core, on RLlib.

`ALGORITHMS` names what `run:` may say; `make_config` turns a name and a `model:` section into RLlib's
`AlgorithmConfig`.
"""

from engram.agents.algorithms import ALGORITHMS, make_config
from engram.agents.encoders import ENCODERS, Encoder, EncoderOptions, make_encoder
from engram.agents.impala import RecurrentIMPALA, RecurrentIMPALAConfig
from engram.agents.models import check_model
from engram.agents.module import ColumnarModule, ModelConfig, RecurrentModule
from engram.agents.observations import Reader
from engram.agents.ppo import RecurrentPPO, RecurrentPPOConfig
from engram.agents.results import gradient_window

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
    "check_model",
    "gradient_window",
    "make_config",
    "make_encoder",
]
