import json

import pytest

from benchmarks.detection import plan, results, runner
from benchmarks.detection.draws import generator
from benchmarks.detection.plan import PAIRED, PARTS, Part, Unit
from benchmarks.detection.suites import NULL, Shift
from benchmarks.detection.trials import run

NOISE = Shift("noise", "noise_large", 1.0)
PART = Part(500, (20, 50), 4, (("ours",), ("bbsds", "all_features_ks", "hotelling")), lambda: [NULL, NOISE], block=2)


@pytest.fixture
def part(monkeypatch):
    monkeypatch.setattr(runner, "PARTS", {**PARTS, "tiny": PART})
    return "tiny"


def test_a_killed_run_goes_on_where_it_stopped(cache, part, capsys):
    file = cache / "results.jsonl"
    runner.run_part(part, cache, file)
    whole = results.read(file)[1]
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:-4]) + "\n" + lines[-4][:30])  # killed in the middle of a line
    assert len(results.read(file)[1]) < len(whole)
    runner.run_part(part, cache, file)
    assert sorted(map(json.dumps, results.read(file)[1])) == sorted(map(json.dumps, whole))
    assert "7 of 8 units are there" in capsys.readouterr().out


def test_a_unit_that_two_processes_ran_counts_once(cache, part):
    runner.run_part(part, cache, cache / "results.jsonl", methods=("bbsds",))
    before = results.read_all(cache)
    (cache / "second.jsonl").write_text((cache / "results.jsonl").read_text())
    assert results.read_all(cache) == before


def test_units_of_another_core_are_run_again_and_peers_are_not(cache, part, monkeypatch, capsys):
    file = cache / "results.jsonl"
    runner.run_part(part, cache, file)
    monkeypatch.setattr(plan, "core_version", lambda: "another")
    runner.run_part(part, cache, file)
    assert "4 of 8 units are there" in capsys.readouterr().out


def test_processes_give_what_one_process_gives(cache, part):
    files = [cache / "one" / "r.jsonl", cache / "two" / "r.jsonl"]  # outside the cache, where they would count as done
    for jobs, file in enumerate(files, 1):
        runner.run_part(part, cache, file, jobs=jobs, methods=("bbsds",))
    one, two = (results.read(file)[1] for file in files)
    assert _rounded(one) == _rounded(two)


def _rounded(records):
    """A product of matrices is summed in another order on another number of threads."""
    return sorted(json.dumps({**r, "scores": [round(score, 9) for score in r["scores"]]}) for r in records)


def test_methods_of_separate_units_see_the_same_windows(cache):
    unit = Unit("tiny", 500, 50, 0, 3, ("bbsds",), (NOISE,))
    both = Unit("tiny", 500, 50, 0, 3, ("all_features_ks", "bbsds"), (NULL, NOISE))
    alone = run(unit, cache)[0]
    (among_others,) = [r for r in run(both, cache) if (r.method, r.shift) == ("bbsds", "noise")]
    assert alone.scores == among_others.scores


def test_the_shift_is_found_and_nothing_is_found_without_one(cache):
    unit = Unit("tiny", 500, 50, 0, 5, ("ours", "all_features_ks"), (NULL, NOISE))
    alarms = {(r.method, r.shift): sum(map(bool, r.alarms)) for r in run(unit, cache)}
    assert alarms["ours", "noise"] == alarms["all_features_ks", "noise"] == 5
    assert alarms["ours", "none"] < 3


def test_a_paired_reference_is_as_large_as_the_window(cache, monkeypatch):
    sizes = []

    def prepare(name, reference):
        sizes.append(len(reference))
        return lambda window, seed: pytest.fail(f"{len(window)}") if len(window) != 20 else _verdict()

    monkeypatch.setattr("benchmarks.detection.trials.prepare", prepare)
    run(Unit("tiny", PAIRED, 20, 0, 1, ("bbsds",), (NULL, NOISE)), cache)
    assert sizes == [20, 20]


def _verdict():
    from benchmarks.detection.methods import Verdict

    return Verdict(0.0, alarm=False)


def test_every_part_asks_for_at_least_a_hundred_trials_or_says_why():
    assert {name: part.trials for name, part in PARTS.items() if part.trials < 100} == {"severity": 50}


def test_a_key_gives_the_same_numbers_in_every_process():
    assert generator("power", 10, 3).integers(1 << 30) == 332976082
