"""Actor-critic algorithms with a swappable recurrent core, on RLlib.

`ALGORITHMS` names what `run:` may say; `make_config` turns a name and a `model:` section into RLlib's
`AlgorithmConfig`. A name is imported when it is first asked for: who wants a network alone waits for no Ray.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engram.agents.actor_critic.a2c import RecurrentA2C, RecurrentA2CConfig
    from engram.agents.actor_critic.impala import RecurrentIMPALA, RecurrentIMPALAConfig
    from engram.agents.actor_critic.ppo import RecurrentPPO, RecurrentPPOConfig
    from engram.agents.algorithms import ALGORITHMS, make_config
    from engram.agents.columns.results import bptt_steps_of
    from engram.agents.models.choice import check_model
    from engram.agents.models.encoders import ENCODERS, Encoder, EncoderOptions, make_encoder
    from engram.agents.models.reader import Reader
    from engram.agents.models.recurrent import ColumnarModule, RecurrentModule
    from engram.agents.models.recurrent_network import ModelConfig

__all__ = [
    "ALGORITHMS",
    "ENCODERS",
    "ColumnarModule",
    "Encoder",
    "EncoderOptions",
    "ModelConfig",
    "Reader",
    "RecurrentA2C",
    "RecurrentA2CConfig",
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

_HOMES = {
    "ALGORITHMS": "algorithms",
    "ENCODERS": "models.encoders",
    "ColumnarModule": "models.recurrent",
    "Encoder": "models.encoders",
    "EncoderOptions": "models.encoders",
    "ModelConfig": "models.recurrent_network",
    "Reader": "models.reader",
    "RecurrentA2C": "actor_critic.a2c",
    "RecurrentA2CConfig": "actor_critic.a2c",
    "RecurrentIMPALA": "actor_critic.impala",
    "RecurrentIMPALAConfig": "actor_critic.impala",
    "RecurrentModule": "models.recurrent",
    "RecurrentPPO": "actor_critic.ppo",
    "RecurrentPPOConfig": "actor_critic.ppo",
    "bptt_steps_of": "columns.results",
    "check_model": "models.choice",
    "make_config": "algorithms",
    "make_encoder": "models.encoders",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
