"""A runner and a learner without Ray."""

import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.training_data import TrainingData


class Shell:
    """A runner and a learner, taking turns as the algorithm has them do."""

    def __init__(self, settings):
        torch.manual_seed(0)
        self.settings = settings
        self.runner = settings.env_runner_cls(config=settings)
        spaces = (self.runner.env.single_observation_space, self.runner.env.single_action_space)
        self.learner = settings.build_learner(spaces={DEFAULT_MODULE_ID: spaces})
        self.learner.build()
        self.steps = 0

    @property
    def module(self):
        return self.learner.module[DEFAULT_MODULE_ID]

    def sample(self):
        (fragment,) = self.runner.sample()
        self.steps += fragment.env_steps()
        return fragment

    def update(self, fragment):
        results = self.learner.update(
            training_data=TrainingData(episodes=[fragment]),
            timesteps={"num_env_steps_sampled_lifetime": self.steps},
            num_epochs=self.settings.num_epochs,
            minibatch_size=self.settings.minibatch_size,
        )
        return {name: float(stats.peek()) for name, stats in results[DEFAULT_MODULE_ID].items()}

    def weights(self):
        return {name: leaf.detach().clone() for name, leaf in self.module.named_parameters()}

    def sync(self):
        """The runner takes over the learner's weights, as it does after each update."""
        self.runner.module.load_state_dict(self.module.state_dict())

    def rates(self):
        ((_, optimizer),) = self.learner.get_optimizers_for_module(DEFAULT_MODULE_ID)
        return [group["lr"] for group in optimizer.param_groups]
