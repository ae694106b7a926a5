"""Reports of a trial that were notably better than its last one."""

from hpo.analysis.earlier_best import earlier_best


def test_an_earlier_report_is_returned_only_if_it_was_notably_better() -> None:
    rows = [{"val_bpd": value} for value in (7.0, 6.5, 6.6)]
    assert earlier_best(rows) == rows[1]
    assert earlier_best([{"val_bpd": value} for value in (7.0, 6.5, 6.505)]) is None
