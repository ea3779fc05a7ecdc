import re

import pytest

from tests.conftest import REPOSITORY

DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md", REPOSITORY / "CHANGELOG.md"]
DOCUMENTS += sorted(REPOSITORY.glob("docs/*.md")) + sorted(REPOSITORY.glob("competitions/*/README.md"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_within_the_project_lead_somewhere(path):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text("utf-8"))
    inner = [link for link in links if not link.startswith(("http:", "https:"))]
    assert [link for link in inner if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_no_placeholder_is_left(path):
    assert re.findall(r"\b(?:[A-Z]+_(?:MINUTES|TABLE|HINT)\w*)\b", path.read_text("utf-8")) == []


def test_both_readmes_show_the_same_commands():
    blocks = [re.findall(r"```bash\n(.*?)```", path.read_text("utf-8"), re.DOTALL) for path in DOCUMENTS[:2]]
    commands = [[line.split("#")[0].strip() for block in of_one for line in block.splitlines()] for of_one in blocks]
    assert commands[0] == commands[1]
