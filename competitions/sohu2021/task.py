"""Sohu 2021 text matching, bound to the stages."""

from competitions.sohu2021 import data, data_report, encoding, evaluation, feed, submission
from competitions.sohu2021.settings import Settings
from shared.task import Task, lazy

task = Task(
    name="sohu2021",
    settings=Settings,
    spans=False,
    figures=("f1", "f1_a", "f1_b"),
    read=data.read,
    report=data_report.report,
    render=data_report.render,
    encode=encoding.encode,
    ceiling=None,
    build=lazy("competitions.sohu2021.model", "build"),
    loss=lazy("competitions.sohu2021.objective", "loss"),
    feed=feed.feed,
    infer=lazy("competitions.sohu2021.model", "infer"),
    score=evaluation.score,
    tables=evaluation.tables,
    baselines=lazy("competitions.sohu2021.baselines", "baselines"),
    write=evaluation.write_submission,
    check=submission.check_file,
)
