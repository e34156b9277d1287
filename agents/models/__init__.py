"""From observations to actions: encoders, recurrent and thinking modules, action distributions."""
