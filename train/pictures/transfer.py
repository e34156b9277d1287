"""The picture of transfer scores: a point for each trial, the mean and its interval for each run."""

from matplotlib.figure import Figure

from engram.train.pictures.canvas import COLOURS, new_figure
from engram.train.pictures.transfer_scores import TransferScores


def draw(found: TransferScores) -> Figure:
    """Draw runs one below the other, in the order of their summaries; 1 is a run from scratch."""
    figure = new_figure(8, 1.4 + 0.4 * len(found.summaries))
    axes = figure.subplots()
    axes.axvline(1.0, color="0.5", linewidth=1)
    for row, summary in enumerate(found.summaries):
        own = [score.score for score in found.scores if score.run == summary.run]
        axes.plot(own, [row] * len(own), "o", color=COLOURS[0], alpha=0.4, markersize=4)
        if summary.low is not None and summary.high is not None:
            axes.plot([summary.low, summary.high], [row, row], color=COLOURS[0], linewidth=2)
        axes.plot([summary.mean], [row], "D", color=COLOURS[0])
    axes.set_yticks(range(len(found.summaries)), [summary.run for summary in found.summaries])
    axes.set_ylim(len(found.summaries) - 0.5, -0.5)
    axes.set_xlabel("area under the learning curve, from scratch = 1")
    figure.suptitle(f"{found.metric}, means and 95 % intervals", fontsize=10)
    return figure
