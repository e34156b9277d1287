from types import SimpleNamespace

import pytest

from engram.agents.columns.episodes import EpisodeWindow
from engram.train.running.interrupt import INTERRUPT, EndWhenSaved, SavingScheduler
from engram.train.running.progress import Pace, Progress, cells
from engram.train.running.trials import StopConditions, trial_name
from engram.train.runs.results import number_at


def result(steps, seconds, iteration=1, **more):
    runners = {"episode_return_mean": 0.5, "success_rate": 0.25}
    base = {"timesteps_total": steps, "time_total_s": seconds, "training_iteration": iteration}
    return base | {"steps_per_second": 1234.5, "env_runners": runners} | more


def trial(tag="0_lr=0.1", trial_id="a"):
    return SimpleNamespace(experiment_tag=tag, trial_id=trial_id)


def test_time_left():
    pace = Pace({"timesteps_total": 1000, "time_total_s": 500})
    assert pace.left(result(100, 10)) == 490
    assert pace.left(result(200, 20)) == pytest.approx(80)  # 10 steps a second, 800 to go
    assert Pace({"env_runners/success_rate": 1}).left(result(1, 1)) is None
    slow_start = Pace({"training_iteration": 5})
    slow_start.left(result(0, 30, iteration=1))
    assert slow_start.left(result(0, 32, iteration=3)) == pytest.approx(2)


def test_cells():
    assert cells("0", result(12345, 1, 7), 65.4) == ("0", "0.500", "25.0%", "12,345", "1,234", "1:05", "7")
    assert cells("0", {"env_runners": {"episode_return_mean": float("nan")}}, None)[1:] == (
        "-",
        "-",
        "0",
        "-",
        "-",
        "-",
    )


def test_before_an_episode_has_ended_there_is_no_return():
    """Whatever an older version told of it."""
    runners = EpisodeWindow(1).summary([(7, True), (1234, True)])
    assert cells("0", {"env_runners": runners}, None)[1:3] == ("- (episodes at step 1,234)", "-")
    of_episodes = [name for name in runners if name.startswith(("episode_", "success_rate"))]
    assert len(of_episodes) == 7
    for name in of_episodes:
        assert not StopConditions({f"env_runners/{name}": -1e9})("a", {"env_runners": runners})
    old = {"num_episodes_in_window": 0, "episode_return_mean": -20.0, "success_rate": 0.0}
    assert cells("0", {"env_runners": old}, None)[1:3] == ("-", "-")
    assert number_at({"evaluation": {"env_runners": old}}, "evaluation/env_runners/success_rate") is None
    supervised = {"env_runners": old, "learners": {"default_policy": {"answers": 9}}}
    assert number_at(supervised, "env_runners/episode_return_mean") == -20.0
    endless = {"env_runners": {"episode_return_mean": float("inf")}}
    assert number_at(endless, "env_runners/episode_return_mean") is None


def test_skipped_numbers_are_told_once_and_in_the_end(capsys):
    progress = Progress({"timesteps_total": 100})
    for step, count in enumerate((0, 0, 3, 5, 9)):
        what = {"non_finite": f"reward: nan {step}"} if count else {}
        skipped = result(step, step, done=step == 4, non_finite_skipped=count, **what)
        progress.on_trial_result(0, [], trial(), skipped)
    told = [line for line in capsys.readouterr().out.splitlines() if "not finite" in line]
    start = "0 lr=0.1: notice: not finite, left out so far: "
    assert [line.removeprefix(start)[0] for line in told] == ["3", "9"]
    assert told[0].endswith("; reward: nan 2")


def test_episodes_that_could_not_go_on_are_told(capsys):
    Progress({}).on_trial_result(0, [], trial(), result(3, 3, new_episodes="ValueError: 4 lanes"))
    assert "0 lr=0.1: notice: new episodes began: ValueError: 4 lanes\n" in capsys.readouterr().out


def test_plain_lines_are_few(capsys):
    progress = Progress({"timesteps_total": 100})
    for step in range(5):
        progress.on_trial_result(0, [], trial(), result(step, step, done=step == 4))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2  # the first and the last
    assert lines[0].startswith("0 lr=0.1: return 0.500, success 25.0%, env steps 0")


def test_progress_survives_pickling():
    import pickle

    copy = pickle.loads(pickle.dumps(Progress({"training_iteration": 3})))
    assert copy.stop == {"training_iteration": 3}
    copy.on_experiment_end([])


def test_stop_conditions():
    stop = StopConditions({"timesteps_total": 100, "env_runners/success_rate": 0.9})
    assert not stop("a", result(99, 1))
    assert stop("a", result(100, 1))
    assert stop("a", result(1, 1, env_runners={"success_rate": 0.95}))
    assert not stop("a", {})  # a metric that is not there yet is not reached
    assert not stop.stop_all()


def test_trial_name_has_no_module():
    made = SimpleNamespace(
        config={"env": "engram.envs:engram/TMaze-v0"}, trainable_name="RecurrentPPO", trial_id="ab_0"
    )
    assert trial_name(made) == "RecurrentPPO_TMaze-v0_ab_0"


def test_interrupt_pauses_and_starts_nothing(monkeypatch):
    scheduler = SavingScheduler()
    assert scheduler.on_trial_result(None, trial(), {}) == "CONTINUE"
    monkeypatch.setattr(INTERRUPT, "signal", 2)
    assert scheduler.on_trial_result(None, trial(), {}) == "PAUSE"
    assert scheduler.choose_trial_to_run(None) is None


def test_who_is_waited_for(monkeypatch, capsys):
    """Running trials with a report; a signal that comes twice at once is one."""
    ended, now, loop = [], [10.0], EndWhenSaved()
    monkeypatch.setattr("os.kill", lambda *call: ended.append(call))
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    first, second = trial(trial_id="a"), trial(trial_id="b")
    first.status = second.status = "RUNNING"
    with INTERRUPT.listening():
        loop.on_trial_result(1, [first, second], first, {})
        loop.on_step_end(1, [first, second])
        for _ in range(2):
            INTERRUPT._receive(15, None)
        assert "each running trial that has ended an iteration saves" in capsys.readouterr().err
        loop.on_step_end(2, [first, second])
        assert not ended
        first.status = "PAUSED"
        loop.on_step_end(3, [first, second])
        assert len(ended) == 1
        now[0] += 2
        with pytest.raises(KeyboardInterrupt):
            INTERRUPT._receive(15, None)
    with INTERRUPT.listening():
        INTERRUPT._receive(2, None)
        assert "nothing new is to be saved" in capsys.readouterr().err
    INTERRUPT.signal = None


def test_the_interrupt_is_one_per_process():
    import pickle

    assert pickle.loads(pickle.dumps(INTERRUPT)) is INTERRUPT
