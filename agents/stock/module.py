"""The same module under stock RLlib: its runners, connectors and learners, batches (B, T, ...).

RLlib hands a recurrent module sequences that never cross an episode's end, padded with zeros on the
right, and the state before each sequence; it wants the state after it.
"""

from typing import Any

import torch
import tree
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.utils import make_target_network
from ray.rllib.core.rl_module.apis import (
    TARGET_NETWORK_ACTION_DIST_INPUTS,
    TargetNetworkAPI,
    ValueFunctionAPI,
)
from torch import Tensor, nn
from typing_extensions import override

from engram.agents.models.nests import leading, swapped
from engram.agents.models.network import Outputs
from engram.agents.models.recurrent import RecurrentModule

_POLICY_NETWORKS = ("encoder", "core", "policy_head", "shared_head")


class StockRecurrentModule(RecurrentModule, ValueFunctionAPI, TargetNetworkAPI):  # type: ignore[misc]
    """`RecurrentModule` for RLlib's own PPO, IMPALA and APPO."""

    def get_initial_state(self) -> dict[str, Any]:
        """State of one lane at the start of an episode, without lane axis, as RLlib wants it."""
        return {name: value[0].numpy() for name, value in self.initial_state(1).items()}

    @override
    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        outputs = self._forward_sequences(batch)
        out: dict[str, Any] = {
            Columns.ACTION_DIST_INPUTS: outputs.action_dist_inputs,
            Columns.VF_PREDS: outputs.values,
        }
        if outputs.state:
            out[Columns.STATE_OUT] = outputs.state
        return out

    def _forward_sequences(self, batch: dict[str, Any]) -> Outputs:
        """Outputs with lanes first, or without a time axis where the core has no state."""
        observations = batch[Columns.OBS]
        if not self.is_stateful():
            one_step = tree.map_structure(lambda leaf: leaf[None], observations)
            outputs = self.forward_columns(one_step, self.initial_state(leading(one_step)[1]))
            return Outputs(outputs.action_dist_inputs[0], outputs.values[0], outputs.state)
        outputs = self.forward_columns(swapped(observations), batch[Columns.STATE_IN])
        return Outputs(
            outputs.action_dist_inputs.transpose(0, 1), outputs.values.transpose(0, 1), outputs.state
        )

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Tensor:
        """Values of the batch's observations."""
        values: Tensor = self._forward(batch)[Columns.VF_PREDS]
        return values

    def make_target_networks(self) -> None:
        """Copies the networks of the policy, for APPO."""
        self._target_networks = nn.ModuleList([make_target_network(net) for net in self._policy_networks()])

    def get_target_network_pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """Pairs of a network and its slowly moving copy, for APPO."""
        return list(zip(self._policy_networks(), self._target_networks, strict=True))

    def forward_target(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Action distribution inputs of the slowly moving copies, for APPO."""
        networks = self._policy_networks()
        self._use_policy_networks(list(self._target_networks))
        try:
            with torch.no_grad():
                outputs = self._forward_sequences(batch)
        finally:
            self._use_policy_networks(networks)
        return {TARGET_NETWORK_ACTION_DIST_INPUTS: outputs.action_dist_inputs}

    def _policy_networks(self) -> list[nn.Module]:
        return [getattr(self, name) for name in _POLICY_NETWORKS]

    def _use_policy_networks(self, networks: list[nn.Module]) -> None:
        for name, network in zip(_POLICY_NETWORKS, networks, strict=True):
            setattr(self, name, network)
