"""The first run of a model with classes of a user's own: shapes, states and resets, before anything trains.

T time, B lanes.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import tree
from gymnasium.vector.utils import create_empty_array
from torch import Tensor

from engram.agents.models.encoders import DictEncoder, Encoder
from engram.agents.models.observations import parts_of
from engram.agents.models.recurrent import ColumnarModule, RecurrentModule
from engram.memory.blame import explain
from engram.memory.first_run import check_first_run

STEPS, LANES = 2, 3


def check_own_classes(module: Any) -> None:
    """Runs a model once where its core or encoder is a class of a user's own.

    Args:
        module: From `RLModuleSpec.build`; one that is not of this package is left alone.

    Raises:
        ValueError: The first thing that is not as `Core`, `Encoder` or `Thinker` have it.
    """
    if not isinstance(module, ColumnarModule):
        return
    own = [part for part in ("encoder", "core") if _is_own(module.model_config.get(part))]
    if isinstance(module, RecurrentModule):
        if "encoder" in own:
            _check_encoder(module.encoder, module.inputs.encoded)
        if "core" in own:
            check_first_run(module.core, "core")
    elif own:
        _check_module(module, module.observation_space)


def _is_own(options: Any) -> bool:
    """Whether a section, or one inside of it, names a class of a user's own."""
    if not isinstance(options, Mapping):
        return False
    return ":" in str(options.get("type")) or any(map(_is_own, options.values()))


def _seen(space: gym.Space[Any], *count: int) -> Any:
    """Returns zeros in the shape and dtype of a batch of observations."""
    empty = create_empty_array(space, n=1, fn=np.zeros)
    return tree.map_structure(
        lambda leaf: torch.from_numpy(np.zeros((*count, *leaf.shape[1:]), leaf.dtype)), empty
    )


@torch.no_grad()
def _check_encoder(encoder: Encoder, space: Any, path: str = "encoder") -> None:
    if isinstance(encoder, DictEncoder):
        spaces = parts_of(space)
        for part_name, part in encoder.rows():
            _check_encoder(part, spaces[part_name], f"{path}.{part_name}")
        return
    name, training = f"{path}: {type(encoder).__qualname__}", encoder.training
    size: Any = getattr(encoder, "output_size", None)
    try:
        features: Any = encoder.eval()(encoder.prepare(_seen(space, STEPS)))
    except Exception as error:
        raise ValueError(f"{name} raises {explain(error)} for observations {space}") from error
    finally:
        encoder.train(training)
    if not isinstance(features, Tensor) or features.shape != (STEPS, size):
        found = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise ValueError(
            f"{name} gives features {found} for {STEPS} observations, expected a tensor "
            f"({STEPS}, output_size = {size})"
        )


@torch.no_grad()
def _check_module(module: ColumnarModule, space: gym.Space[Any]) -> None:
    training = module.training
    observations = _seen(space, STEPS, LANES)
    try:
        outputs = module.eval().forward_columns(observations, module.initial_state(LANES))
    except Exception as error:
        raise ValueError(f"core: its first run raises {explain(error)}") from error
    finally:
        module.train(training)
    inputs: Any = outputs.action_dist_inputs
    if inputs.shape[:2] != (STEPS, LANES) or not torch.isfinite(inputs).all():
        raise ValueError(
            f"core: its first run gives answers {tuple(inputs.shape)} over {STEPS} steps of {LANES} lanes, "
            "expected finite ones, steps and lanes first"
        )
