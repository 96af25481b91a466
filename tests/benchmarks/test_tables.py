import pytest

from benchmarks.detection import results, tables
from benchmarks.detection.plan import core_version
from benchmarks.detection.summary import RULES, Results, Rule


def record(part, size, shift, method, scores, alarms, core=True):
    unit = f"{part} {size} {shift} {method}" + (
        f" core {core_version() if core else 'old'}" if method == "ours" else ""
    )
    return {
        "unit": unit,
        "part": part,
        "reference": 0,
        "size": size,
        "shift": shift,
        "method": method,
        "scores": scores,
        "alarms": alarms,
    }


RECORDS = [
    record("power_full", 10, "noise_small 0.1", "ours", [-0.01, -0.9], [True, False]),
    record("power_full", 10, "noise_large 1", "ours", [-0.01, -0.01], [True, True]),
    record("power_full", 10, "none", "ours", [-0.5] * 4, [False] * 4),
    record("power_full", 10, "noise_small 0.1", "tfdv", [0.05, 0.2], [None, None]),
    record("power_full", 10, "noise_large 1", "tfdv", [0.5, 0.9], [None, None]),
    record("power_full_null", 10, "none", "tfdv", [0.02 + n / 1000 for n in range(99)], [None] * 99),
]


def cells(text, title):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_power_is_the_mean_over_shifts_and_trials():
    text = tables.power_full(Results(RECORDS))
    assert cells(text, "**ours**")[0] == ".75"
    assert cells(text, "TFDV default, 0.1")[0] == ".75"
    assert cells(text, "TFDV default, 0.01")[0] == "1"


def test_a_rule_is_shown_with_its_measured_false_alarms():
    text = tables.power_full(Results(RECORDS))
    assert cells(text, "TFDV default, 0.01")[-1].startswith("1.000")
    assert cells(text, "TFDV default, 0.1")[-1].startswith("0.182")
    assert cells(text, "**ours**")[-1].startswith("0.000")


def test_a_recalibrated_rule_takes_its_threshold_from_the_null_windows():
    # the 95th of 99 scores is 0.02 + 0.094: one of four shifted windows lies below it
    assert cells(tables.power_full(Results(RECORDS)), "TFDV default, recalibrated")[0] == ".75"


def test_results_of_another_core_do_not_count():
    old = record("power_full", 10, "noise_small 0.1", "ours", [-0.9], [False], core=False)
    assert Results([*RECORDS, old]).rate("power_full", 10, "noise_small 0.1", RULES[0], {}).trials == 2


def test_a_pooled_rate_needs_every_shift():
    rule = Rule("", "tfdv", recalibrated=True)
    assert Results(RECORDS).pooled("power_full", 10, rule, {}) is None


def severity_records(method, sizes):
    return [
        record("severity", n, "jpeg 3", method, [0.0] * 10, [True] * k + [False] * (10 - k)) for n, k in sizes.items()
    ]


def test_the_smallest_window_is_the_first_with_nine_tenths():
    found = Results([*severity_records("ours", {10: 3, 20: 9}), *severity_records("bbsds", {10: 0, 2000: 8})])
    assert tables.smallest_windows(found) == {("jpeg 3", "ours"): 20, ("jpeg 3", "bbsds"): float("inf")}
    assert cells(tables.severity(found), "jpeg")[2] == "20 / > 2,000 / > 2,000"


def test_the_error_of_an_estimate_is_in_points():
    found = Results(
        [
            {
                "unit": "a",
                "part": "accuracy",
                "size": 2000,
                "shift": "jpeg 3",
                "method": "atc",
                "truth": t,
                "estimates": e,
            }
            for t, e in (([0.5], [0.52]), ([0.4], [0.3]))
        ]
    )
    assert cells(tables.accuracy(found), "atc") == ["6.00", "10.0", "2"]


def test_the_page_is_written_between_its_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table power_full -->\nold\n<!-- end -->\nafter\n")
    results.append(tmp_path / "results.jsonl", "u", [])
    for each in RECORDS:
        results.append(tmp_path / "results.jsonl", each["unit"], [each])
    tables.write(tmp_path, page)
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("before\n<!-- table power_full -->\n| method |")
    assert text.endswith("<!-- end -->\nafter\n")


@pytest.mark.parametrize("name", tables.TABLES)
def test_every_table_can_be_made_of_nothing(name):
    assert tables.TABLES[name](Results([])).startswith("| ")
