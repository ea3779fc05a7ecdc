"""LIC2020 relation extraction, bound to the stages."""

from competitions.lic2020_re import baselines, ceiling, data, data_report, encoding, evaluation, feed, submission
from competitions.lic2020_re.settings import Settings
from shared.task import Task, lazy

task = Task(
    name="lic2020_re",
    settings=Settings,
    spans=True,
    figures=("f1", "precision", "recall"),
    read=data.read,
    report=data_report.report,
    render=data_report.render,
    encode=encoding.encode,
    ceiling=ceiling.ceiling,
    build=lazy("competitions.lic2020_re.model", "build"),
    loss=lazy("competitions.lic2020_re.model", "loss"),
    feed=feed.feed,
    infer=lazy("competitions.lic2020_re.inference", "infer"),
    score=evaluation.score,
    tables=evaluation.tables,
    baselines=baselines.baselines,
    write=evaluation.write_submission,
    check=submission.check_file,
)
