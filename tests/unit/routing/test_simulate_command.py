"""`helpdesk simulate CASE.json`: figures as JSON, and a bad case named field by field."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from helpdesk.agents.simulate_command import simulate_command
from helpdesk.agents.simulation_case import read_case

BENCH = Path(__file__).parents[3] / "bench" / "routing"
GOOD: dict[str, Any] = {
    "seeds": [1, 2], "arrivals": 300, "warmup": 10, "threshold_s": 20,
    "classes": [{"name": "A", "rate_per_s": 0.05, "skills": {"russian": 1}, "tier": 1, "target_s": 60, "boost_s": 0,
                 "patience_mean_s": None, "service": {"distribution": "exponential", "mean_s": 180}}],
    "agents": [{"count": 14, "skills": {"russian": 3}, "capacity": 1}]}


def simulated(text: str | bytes, *options: str) -> Result:
    return CliRunner().invoke(simulate_command, ["-", "--jobs", "1", *options], input=text)


def changed(*path: str | int, to: Any) -> str:
    case = json.loads(json.dumps(GOOD))
    inner = case
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return json.dumps(case)


def without(*path: str | int) -> str:
    case = json.loads(json.dumps(GOOD))
    inner = case
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return json.dumps(case)


def test_every_figure_comes_with_mean_and_standard_error(tmp_path):
    path = tmp_path / "case.json"
    path.write_text(json.dumps(GOOD))
    result = CliRunner().invoke(simulate_command, [str(path), "--jobs", "1"])
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    figures = {"served", "abandoned", "mean_wait_s", "p_wait", "service_level", "p_abandon"}
    assert set(printed) == {"overall", "classes"}
    assert set(printed["overall"]) == figures | {"occupancy"}
    assert set(printed["classes"]) == {"A"}
    assert set(printed["classes"]["A"]) == figures
    assert all(set(figure) == {"mean", "se"} for figure in printed["overall"].values())
    assert printed["overall"]["served"] == {"mean": 290, "se": 0}
    assert result.stderr == ""


def test_what_may_be_left_out_may_be_left_out():
    case = {"seeds": [1], "arrivals": 50, "agents": [{"count": 9}], "classes": [
        {"name": "A", "rate_per_s": 1, "service": {"distribution": "lognormal", "mean_s": 2, "cv": 1}}]}
    assert simulated(json.dumps(case)).exit_code == 0


@pytest.mark.parametrize(("text", "said"), [
    ("", "the file is empty"),
    (" \n", "the file is empty"),
    ("{", "not JSON: "),
    ("[]", "should be an object"),
    (b"\xff\xfe{}", "not UTF-8 text (byte 0)"),
    ("[" * 100_000, "nested too deeply"),
    ('{"arrivals": ' + "1" * 5000 + "}", "too many digits"),
    (changed("agent", to=[]), "agent: unknown field"),
    (changed("classes", 0, "rate", to=1), "classes[0].rate: unknown field"),
    (changed("classes", 0, "service", "median_s", to=1), "classes[0].service.median_s: unknown field"),
    (changed("classes", 0, "rate_per_s", to=-0.5), "classes[0].rate_per_s: Input should be greater than 0 (it is -0.5)"),
    (changed("classes", 0, "rate_per_s", to=0), "classes[0].rate_per_s: "),
    (changed("classes", 0, "rate_per_s", to=float("nan")), "classes[0].rate_per_s: "),
    (changed("classes", 0, "rate_per_s", to=float("inf")), "classes[0].rate_per_s: "),
    (changed("classes", 0, "rate_per_s", to="1"), "classes[0].rate_per_s: "),
    (changed("classes", 0, "patience_mean_s", to=0), "classes[0].patience_mean_s: "),
    (changed("classes", 0, "skills", to={"russian": 1.5}), "classes[0].skills.russian: "),
    (changed("classes", 0, "service", to={"distribution": "weibull", "mean_s": 1}),
     "classes[0].service: unknown distribution weibull; known are exponential, deterministic, lognormal, empirical"),
    (changed("classes", 0, "service", to={"mean_s": 1}), "classes[0].service: distribution is missing"),
    (changed("classes", 0, "service", to={"distribution": "lognormal", "mean_s": 1}), "classes[0].service.cv: is missing"),
    (changed("classes", 0, "service", to={"distribution": "empirical", "values": []}),
     "classes[0].service.values: is empty"),
    (changed("classes", 0, "service", to={"distribution": "empirical", "values": [1, -1]}),
     "classes[0].service.values[1]: "),
    (changed("classes", to=[]), "classes: is empty"),
    (changed("classes", to=GOOD["classes"] * 2), "two are called 'A'"),
    (changed("agents", to=[]), "agents: is empty: at least one is needed"),
    (changed("agents", 0, "count", to=0), "agents[0].count: "),
    (changed("agents", 0, "count", to=True), "agents[0].count: "),
    (changed("agents", 0, "capacity", to=0), "agents[0].capacity: "),
    (changed("agents", 0, "skills", to={}), "nobody could ever serve 'A', whose customers wait for ever: "
                                            "no agent has russian 1"),
    (changed("seeds", to=[]), "seeds: is empty"),
    (changed("seeds", to=[3, 3]), "3 is given twice"),
    (changed("arrivals", to=0), "arrivals: "),
    (changed("warmup", to=300), "300 leaves nothing to count of 300 arrivals"),
    (changed("warmup", to=-1), "warmup: "),
    (without("arrivals"), "arrivals: is missing"),
    (without("classes", 0, "service"), "classes[0].service: is missing"),
    (without("agents"), "agents: is missing"),
    (json.dumps(GOOD).replace('"warmup": 10', '"warmup": 10, "warmup": 20'), "warmup: given twice in one object"),
])
def test_a_bad_case_is_refused_with_the_field_and_the_reason(text, said):
    result = simulated(text)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_all_mistakes_are_named_at_once_and_none_that_is_not_one():
    case = json.loads(changed("classes", 0, "rate_per_s", to=-1))
    case["threshold_s"] = -20
    result = simulated(json.dumps(case))
    lines = result.stderr.splitlines()
    assert [line.split(":")[0] for line in lines[lines.index("Error: Invalid value for 'CASE.json': ") + 1:]] == [
        "threshold_s", "classes[0].rate_per_s"]


def test_a_file_that_is_not_there_is_refused(tmp_path):
    for path in (tmp_path / "nothing.json", tmp_path):
        result = CliRunner().invoke(simulate_command, [str(path)])
        assert result.exit_code == 2
        assert str(path) in result.stderr


def test_more_work_than_hands_is_simulated_with_a_warning_beside_the_figures():
    result = simulated(changed("agents", 0, "count", to=8))
    assert result.exit_code == 0
    assert "waits grow as long as the run lasts" in result.stderr
    assert json.loads(result.stdout)["overall"]["served"]["mean"] == 290


def test_more_work_than_hands_is_no_warning_where_customers_give_up():
    case = json.loads(changed("agents", 0, "count", to=8))
    case["classes"][0]["patience_mean_s"] = 60
    assert simulated(json.dumps(case)).stderr == ""


@pytest.mark.parametrize("path", sorted(BENCH.glob("*.json")), ids=lambda path: path.stem)
def test_every_example_in_the_bench_can_be_read(path):
    assert read_case(path.read_bytes()).capacity > 0
