"""report: one table and one page over all competitions' results."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.cli import run
from shared.errors import UserError
from shared.files import write_text
from shared.reporting.summary import Summary, overview
from shared.settings import raw_folders

MARKDOWN, PAGE = Path("reports/report.md"), Path("reports/index.html")
TEMPLATE = Path(__file__).parents[1] / "shared/reporting/page.html.jinja"


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.report", description=__doc__)
    parser.add_argument("--show", action="store_true", help="only print the tables of the last results")
    show = parser.parse_args(argv).show
    names = list(raw_folders())
    summaries = [Summary.load(name) for name in names if Summary.exists(name)]
    missing = [f"- {name}: not evaluated yet: dvc repro evaluate@{name}" for name in names if not Summary.exists(name)]
    if not summaries:
        raise UserError(f"no results yet. Run: dvc repro evaluate@{names[0]}")
    text = "\n".join(
        ["# Results", "", overview(summaries).markdown(), "", *(summary.markdown() for summary in summaries), *missing]
    )
    if not show:
        write_text(MARKDOWN, text)
        write_text(PAGE, _page(summaries))
    print(text + f"\nPlots: {PAGE}" if show else f"report -> {MARKDOWN}, {PAGE}")


def _page(summaries: Sequence[Summary]) -> str:
    import jinja2  # with Matplotlib half a second, which --show does not need

    from shared.reporting.figures import FIGURES

    items = [
        {
            "summary": summary,
            "tables": [summary.scores(), *summary.slices()],
            "figures": [
                (caption, plot(files)) for name, (caption, plot) in FIGURES.items() if (files := summary.curve(name))
            ],
        }
        for summary in summaries
    ]
    template = jinja2.Template(TEMPLATE.read_text("utf-8"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return template.render(overview=overview(summaries), items=items) + "\n"


if __name__ == "__main__":
    sys.exit(main())
