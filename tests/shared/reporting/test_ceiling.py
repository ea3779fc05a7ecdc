from shared.reporting import ceiling

DOCUMENT = {
    "train": {"f1": 0.99, "precision": 1.0, "lost": {"cut": 2}},
    "valid": {"f1": 0.9, "precision": 0.95, "lost": {"overlap": 3, "cut": 0}},
}


def test_figures_and_reasons_stand_in_columns():
    lines = ceiling.render(DOCUMENT).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["split", "f1", "precision", "cut", "overlap"]
    assert [cell.strip() for cell in lines[4].split("|")[1:-1]] == ["train", "0.9900", "1.0000", "2", "0"]
    assert [cell.strip() for cell in lines[5].split("|")[1:-1]] == ["valid", "0.9000", "0.9500", "0", "3"]


def test_only_a_low_ceiling_is_warned_of():
    (warning,) = ceiling.warnings(DOCUMENT, "f1")
    assert warning.startswith("a perfect model would reach f1 0.9000 on valid under these settings (lost: overlap 3)")
    assert ceiling.warnings({}, "f1") == []
