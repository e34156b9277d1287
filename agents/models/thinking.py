"""ThinkingModule: a network that thinks in iterations as RLlib's module."""

from engram.agents.models.recurrent import ColumnarModule
from engram.agents.models.thinking_network import ThinkingConfig, ThinkingNetwork, parse_thinking_model


class ThinkingModule(ColumnarModule, ThinkingNetwork):
    """Answers puzzles: a thinker, read as an action, and a value for actor-critics."""

    def setup(self) -> None:
        """Builds the networks from `self.model_config`, the `model:` section of an experiment."""
        known = ThinkingConfig.__dataclass_fields__
        parts = parse_thinking_model({k: v for k, v in self.model_config.items() if k in known})
        self.build(parts)
        self.finish_setup(parts.section.freeze)
