"""The IBL task, one session at a time: one lane of the batched form."""

from __future__ import annotations

from typing import ClassVar

from engram.envs.forms.single_lane import SingleTask
from engram.envs.ibl.batched import BatchedIBL
from engram.envs.ibl.rules import ACTIONS


class IBL(SingleTask[BatchedIBL], of=BatchedIBL):
    """On which side is a noisy stimulus? Blocks of trials favour a side, and nothing says which.

    Description:
        A session is an episode, and consists of trials. In each, a stimulus is on the left or on the right;
        two noisy observations a step, one of each side, say where: their mean is `mu` on the side of the
        stimulus and 0 on the other, their standard deviation 1. `mu` is drawn anew in each trial and may be
        0. Waiting shows more, and costs a little. For 20 to 100 trials, a block, the stimulus is on the same
        side in 80 % of the trials; then the other side is favoured. So there are two beliefs to form: one of
        the present stimulus, from a few steps, and one of the block, from the results of many trials.

        Steps of a trial (preset "code", two `zero_steps`; k counts from 0):

        | k | left, right | reward that is seen | action | reward |
        |---|---|---|---|---|
        | 0 | 0, 0 | of the trial before: 1 or -1; 0 in a session's first trial | ignored | 0 |
        | 1 | 0, 0 | 0 | ignored | 0 |
        | 2 | noisy | 0 | counts | 1 or -1, or -0.05 for waiting |
        | 3 to 10 | noisy | -0.05 | counts | the same |
        | 11 | noisy | -0.05 | counts | 1 or -1; waiting is a timeout: -1 |

        With preset "paper", a trial is one blank step, the observations, and after the action one more step
        that shows the stimulus and the result. The sequence is the same but for what that step shows, for
        the blank steps' rewards, and for the law of block lengths.

    Observation:
        `Box(-2000, 2000, (3,), float32)`: left, right, and the reward of the step before. Drawn stimuli are
        hardly ever beyond 7.

    Action:
        `Discrete(3)`: 0 left, 1 right, 2 wait. On steps without a stimulus it is ignored.

    Reward:
        1 for the right side, -1 for the wrong one, -1 for waiting at a trial's last observation (a timeout,
        which looks like a wrong action), -0.05 for waiting before that, 0 on the other steps. With the
        defaults, optimal stopping earns 0.746 a trial, about 148 a session; acting always at the first
        observation 0.690; acting where a side is more than 90 % likely 0.49; guessing at once 0.

    End:
        With the last trial's action, or timeout; with `final_feedback_step` one step later. A termination.

    Info:
        Of the present observation: `trial`, `block`, `trial_in_block` (all from 0), `block_side` and `side`
        (-1 left, 1 right; `block_side` 0 in unbiased trials), `mu`, `signed_contrast` (`side` times `mu`),
        `concordant` (bool: the stimulus is on the block's side), `k` (step in the trial), `n_obs`
        (observations of the trial so far), `is_blank` (bool: no stimulus is shown); `target` (int), the
        action that would be right, and `mask` (bool), whether it counts in a loss, true where an action
        counts. Of the step just taken: `trial_end` (bool: it decided a trial), `acted`, `correct`, `timeout`
        (bool), `observations` (int: that the decided trial took, 0 where none was decided), `ignored` (bool:
        an action other than waiting had no effect). Of the session: `accuracy`
        (float), share of the decided trials that were right; `delay` (int), env steps from the sight of a
        trial's result to the next action that counts; the block has to be remembered for longer, over many
        trials; `success` (bool): all trials are decided, and 80 % or more of them were right. What is seen
        once the session is over counts to its last trial.

    Arguments:
        render_mode: None, "ansi" (text: bars of the two sides, a row for each observation of the trial, small
            letters below 0; above them the result of the last step, `+`, `-` or `.`) or "rgb_array".

    Reset options:
        `blocks` (trials of each block, beside `unbiased_trials`), `first_block` (side of the first one), and
        for all trials, or with `blocks` for each trial: `sides` ("left" or "right", or -1 or 1), `mus`
        (strengths, also others than `strengths`) and `noise` (what is added to the observations; of one
        trial as many pairs as it may show) replace what the seed would have drawn, for one session.

    Source:
        Schaeffer, Khona, Meshulam, International Brain Laboratory and Fiete, Reverse-engineering recurrent
        neural network solutions to a hierarchical inference task for mice, 2020, section 2.1; of the task of
        the International Brain Laboratory, A standardized and reproducible method to measure decision-making
        in mice, 2020.
    """

    best_return: ClassVar[str] = "0.746 a trial on average, about 148 a session"

    def get_action_meanings(self) -> list[str]:
        """Return what the actions are called, in order, as Atari's environments do."""
        return list(ACTIONS)
