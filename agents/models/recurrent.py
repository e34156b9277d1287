"""ColumnarModule and RecurrentModule: networks as RLlib's modules.

T time, B lanes, A numbers that describe the action distribution.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.torch import TorchRLModule

from engram.agents.models.actions import model_actions
from engram.agents.models.distributions import distribution_of
from engram.agents.models.inputs import model_inputs
from engram.agents.models.moments import NORMALIZATION, NormalizationOptions
from engram.agents.models.network import Network
from engram.agents.models.parts import freeze, hold_still
from engram.agents.models.recurrent_network import ModelConfig, RecurrentNetwork, parse_recurrent_model
from engram.memory.modes import normalises_by_batch, without_chance

RESETS = "resets"
"""Column of a columnar batch: True where a step is the first of an episode, (T, B)."""

OBJECTIVE = "objective"
"""Entry of a training batch: called with module and batch, it gives `_forward_train`'s outputs."""

TAKES_CHANCES = "takes_chances"
"""Entry of a module's `model_config`, set by the algorithm: whether dropout acts in training."""


class ColumnarModule(TorchRLModule, Network):  # type: ignore[misc]
    """A module of the columnar data path: it runs T steps of B lanes at once.

    Dropout and random initial states act under `run: Supervised` alone. A policy gradient differentiates the
    density of the policy that acted, and that one dropped nothing; see `engram.memory.modes.without_chance`.

    Attributes:
        frozen: Parts that are not trained.
    """

    frozen: tuple[str, ...] = ()

    if TYPE_CHECKING:  # what else RLlib's modules have

        def __getattr__(self, name: str) -> Any: ...

    def finish_setup(self, frozen: tuple[str, ...]) -> None:
        """Makes an RLModule of the networks that were built, of which some parts are not trained."""
        self.action_dist_cls = distribution_of(self.actions)
        self.frozen = freeze(self, self.parts(), frozen)
        self.train()

    def remarks(self, algorithm: str) -> list[str]:
        """Returns what a user should know about this module before it trains, one line each.

        Args:
            algorithm: The name of the one that trains it.
        """
        if self.model_config.get(TAKES_CHANCES, False):
            return []
        core, lost, said = self.core_type, self.chances(), []
        if lost:
            named = ", ".join(f"{name} {value}" for name, value in lost.items())
            said.append(
                f"{named} of core {core}: without effect under {algorithm}, a policy gradient, whose policy "
                "must be the one that acted"
            )
        if normalises_by_batch(self):
            said.append(
                f"core {core} normalises by the batch where it learns and by running statistics where it "
                f"acts: {algorithm} does not start from the policy that acted"
            )
        return said

    def train(self, mode: bool = True) -> Self:
        """Puts the networks into training mode, with or without what is random there, or evaluation mode."""
        super().train(mode)
        if mode and not self.model_config.get(TAKES_CHANCES, False):
            for network in self.children():
                without_chance(network)
        hold_still(self, self.parts(), self.frozen)
        return self

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Loads weights.

        RLlib silently leaves a weight that is not given as it was initialised.

        Raises:
            ValueError: A weight is missing: the state is of another network, or of another version of it.
        """
        missing = sorted(self.state_dict().keys() - state.keys())
        if missing:
            raise ValueError(
                f"the state lacks {len(missing)} weights of this network: {', '.join(missing[:3])}, ..."
            )
        super().set_state(state)

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        outputs = self.forward_columns(batch[Columns.OBS], batch[Columns.STATE_IN], batch[RESETS])
        return {
            Columns.ACTION_DIST_INPUTS: outputs.action_dist_inputs,
            Columns.VF_PREDS: outputs.values,
            Columns.STATE_OUT: outputs.state,
        }

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        # An objective runs the module as often as it needs to, inside the pass that learners synchronise.
        if OBJECTIVE in batch:
            outputs: dict[str, Any] = batch[OBJECTIVE](self, batch)
            return outputs
        return self._forward(batch, **kwargs)


class RecurrentModule(ColumnarModule, RecurrentNetwork):
    """Actor-critic with a swappable recurrent core, for the columnar data path."""

    def setup(self) -> None:
        """Builds the networks from `self.model_config`, the `model:` section of an experiment."""
        # RLlib adds keys of its own (`max_seq_len`, `vf_share_layers`) to what the user wrote.
        known = ModelConfig.__dataclass_fields__
        parts = parse_recurrent_model(
            {key: value for key, value in self.model_config.items() if key in known}
        )
        actions = model_actions(self.action_space, self.model_config)
        if parts.section.softmax and not self.model_config.get(TAKES_CHANCES, False):
            raise ValueError("softmax: true is for run: Supervised; probabilities are no draws")
        inputs = model_inputs(self.model_config, self.observation_space, actions)
        normalised = self.model_config.get(NORMALIZATION)
        self.build(parts, inputs, None if normalised is None else NormalizationOptions(*normalised))
        self.finish_setup(parts.section.freeze)

    def remarks(self, algorithm: str) -> list[str]:
        """What may be wrong with the numbers that are seen."""
        remark = self.encoder.reader.remark()
        return super().remarks(algorithm) + ([] if remark is None else [remark])
