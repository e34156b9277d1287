"""Baselines of the IBL task: accuracy, observations, rewards, and accuracy by strength.

    OMP_NUM_THREADS=1 python benchmarks/ibl_players.py [--lanes 256] [--blocks 20] [--seed 1] [--only legacy]
        [--env-config '{"block_law": "hazard"}']

Each player plays one session of that many blocks in each lane; all see the same sessions, as blocks, sides,
strengths and noise are drawn before anybody acts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from typing import Any

import gymnasium

import engram.envs  # noqa: F401 (registers the task)
from engram.envs.ibl.play import play_sessions
from engram.envs.ibl.players import PLAYERS, summarise

MEASURES = {
    "accuracy": "accuracy",
    "accuracy_acted": "of actions",
    "acted": "acted",
    "forced": "forced",
    "n_obs": "observations",
    "reward_per_step": "reward/step",
    "reward_per_trial": "reward/trial",
    "concordant": "concordant",
    "discordant": "discordant",
    "block": "block",
}


def measure(name: str, lanes: int, seed: int, settings: Mapping[str, Any]) -> None:
    """Let a player play, and print two lines of a table: all trials, and accuracy by strength."""
    envs: Any = gymnasium.make_vec(
        "engram/IBL-v0", num_envs=lanes, vectorization_mode="vector_entry_point", **settings
    )
    began = time.process_time()
    trials = play_sessions(PLAYERS[name](lanes, envs.rules), envs, lanes, seed)
    seconds = time.process_time() - began
    overall = summarise(trials)
    cells = " | ".join(f"{overall[key]:.4f}" for key in MEASURES)
    print(f"| {name} | {cells} | {overall['trials']:,.0f} trials, {seconds:.0f} CPU s |", flush=True)
    for label, where in (
        ("all", trials["mu"] >= 0),
        ("concordant", trials["concordant"]),
        ("discordant", ~trials["concordant"]),
    ):
        by_strength = [
            summarise(trials, where & (trials["mu"] == strength)) for strength in envs.rules.strengths
        ]
        accuracies = " ".join(f"{each['accuracy']:.3f}" for each in by_strength)
        counts = " ".join(f"{each['n_obs']:.2f}" for each in by_strength)
        print(f"    {label}: accuracy {accuracies}; observations {counts}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lanes", type=int, default=256)
    parser.add_argument("--blocks", type=int, default=20, help="of a session")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=PLAYERS, default=list(PLAYERS))
    parser.add_argument("--env-config", type=json.loads, default={}, help="settings of the task, as JSON")
    options = parser.parse_args()
    print(f"| player | {' | '.join(MEASURES.values())} | |")
    for name in options.only:
        settings = {"blocks_per_session": options.blocks, **options.env_config}
        measure(name, options.lanes, options.seed, settings)


if __name__ == "__main__":
    main()
