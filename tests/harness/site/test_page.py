"""The page in a real browser, opened from disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.history.folder import History, read_history
from harness.history.row import Row, table_of
from harness.number import with_interval
from harness.statistics.ratios import PositiveEstimate, independent_ratio
from tests.harness.history.generated import row as row_of_commit
from tests.harness.history.generated import straight, write
from tests.harness.site import synthetic
from tests.harness.site.conftest import Opened, written

CONTRASTS = (Path(__file__).parent / "contrasts.js").read_text()
VIEWS = ("runs", "trends", "compare", "frontier", "verdicts")


def first(page: Any, of: str) -> str:
    """The address of the first series, run ... that the index has."""
    route: str = page.evaluate(
        """of => { const {runs, series, verdicts} = site.index; return {
            series: () => site.address.href("series", {id: series.find((one) => one.steps && one.isRatio).id}),
            run: () => site.address.href("run", {id: runs.at(-1).id}),
            compare: () => site.address.href("compare", {a: runs.at(-2).id, b: runs.at(-1).id}),
            verdict: () => site.address.href("verdict", {id: verdicts.find((one) => one.verdict === "fail").id}),
        }[of](); }""",
        of,
    )
    return route


def routes(page: Any) -> Iterator[str]:
    yield from (f"#/{view}" for view in VIEWS)
    yield from (first(page, of) for of in ("series", "run", "compare", "verdict"))


def test_every_view_opens_from_disk(opened: Opened) -> None:
    page = opened.open()
    assert page.title() == "Runs – Tiny" and page.locator("tbody tr").count() == 30
    for route in routes(page):
        opened.open(route)
        assert page.locator("h1").count() == 1 and page.locator(".warning").count() == 0, route
    opened.open(first(page, "run"))
    assert "n 60 documents" in page.locator("main").inner_text() and "5 launches" in page.locator("main").inner_text()
    assert any("/data/series-" in url for url in opened.requests), "data is loaded when a view needs it"


def test_no_view_is_wider_than_a_phone(opened: Opened) -> None:
    page = opened.open()
    page.set_viewport_size({"width": 360, "height": 740})
    for route in routes(page):
        opened.open(route)
        page.wait_for_timeout(50)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, route
    opened.open("#/runs")
    low = page.evaluate(
        """[...document.querySelectorAll("main button, main select, main input, main summary, nav a")]
            .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 36)
            .map((one) => one.outerHTML)"""
    )
    assert low == [], "a finger needs room"


def test_filters_are_in_the_address(opened: Opened, browser: Any, some_site: Path) -> None:
    page = opened.open()
    page.get_by_label("Branch").select_option("try-kernels")
    opened.until("document.querySelectorAll('tbody tr').length < 30")
    page.get_by_label("Text").fill("20260105-000011")
    opened.until("document.querySelectorAll('tbody tr').length === 1")
    hash_ = page.evaluate("location.hash")
    assert hash_ == "#/runs?branch=try-kernels&text=20260105-000011"
    other = Opened(browser, some_site)
    sent = other.open(hash_)
    assert sent.locator("tbody tr").count() == 1 and sent.get_by_label("Branch").input_value() == "try-kernels"
    other.close()
    page.get_by_label("Text").fill("")
    page.get_by_role("button", name="Clear").click()
    opened.until("document.querySelectorAll('tbody tr').length === 30")
    page.go_back()
    opened.until("document.querySelectorAll('tbody tr').length < 30")
    assert page.get_by_label("Branch").input_value() == "try-kernels"
    opened.open("#/runs?sort=run")
    names = page.locator("tbody th").all_inner_texts()
    assert names == sorted(names)
    page.get_by_role("button", name="run", exact=False).first.click()
    opened.until("location.hash.includes('sort=-run')")
    opened.until("document.querySelector('[aria-sort]').getAttribute('aria-sort') === 'descending'")
    assert page.locator("tbody th").all_inner_texts() == sorted(names, reverse=True)


def test_a_filter_of_series_leaves_the_runs_and_charts_that_have_it(opened: Opened) -> None:
    page = opened.open("#/trends?metric=bits_per_byte&precision=int4")
    assert page.locator(".card").count() == 2
    page.wait_for_selector(".card svg path.points")
    opened.open("#/runs?metric=bits_per_byte")
    assert page.locator("tbody tr").count() == 30
    opened.open("#/runs?metric=nothing-of-this-name")
    assert "No run matches" in page.locator("main").inner_text()
    assert "nothing-of-this-name (not here)" in page.get_by_label("Metric").locator("option:checked").inner_text()


def test_the_keyboard_reaches_every_point(opened: Opened) -> None:
    page = opened.open()
    opened.open(first(page, "series"))
    page.keyboard.press("Tab")
    for _ in range(60):
        if page.evaluate("document.activeElement.getAttribute('role')") == "slider":
            break
        page.keyboard.press("Tab")
    slider = page.locator("[role=slider]")
    told = slider.get_attribute("aria-valuetext")
    assert told.startswith("30 of 30; commit ") and "[" in told and "launches" in told
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "focus is seen"
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext").startswith("1 of 30")
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuenow") == "2" and page.locator(".tip").is_visible()
    assert page.locator(".tip strong").inner_text() in slider.get_attribute("aria-valuetext")
    page.keyboard.press("Escape")
    assert not page.locator(".tip").is_visible()
    page.keyboard.press("Enter")
    opened.until("location.hash.startsWith('#/run?')")


def test_a_chart_has_a_table_and_says_what_it_found(opened: Opened) -> None:
    page = opened.open()
    opened.open(first(page, "series"))
    assert page.locator(".chart line.step").count() == 1 and page.locator(".chart line.level").count() == 2
    words = page.get_by_role("region", name="Change points").inner_text()
    assert re.search(r"\+[56]\.\d+ % \[", words), words
    page.get_by_text("Table of 30 points").click()
    page.get_by_role("region", name="Points", exact=True).wait_for()
    assert page.get_by_role("region", name="Points", exact=True).locator("tbody tr").count() == 30
    later = page.evaluate("site.index.series.find((one) => one.breaks).id")
    opened.open(f"#/series?id={later}")
    assert page.locator(".chart line.break").count() == 1 and "texts or tasks" in page.locator("main").inner_text()
    time = page.evaluate("site.index.series.find((one) => one.isTime).id")
    opened.open(f"#/series?id={time}")
    assert page.locator("line.step").count() == 0 and "Change points" not in page.locator("main").inner_text()


def test_dark_follows_the_system_and_the_switch(browser: Any, some_site: Path) -> None:
    one = Opened(browser, some_site, color_scheme="dark")
    page = one.open()
    back = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(back)
    switch = page.locator("#theme")
    switch.click()
    assert switch.inner_text() == "Colors: light" and page.evaluate(back) == "rgb(255, 255, 255)" != dark
    page.reload()
    page.wait_for_selector("tbody tr")
    assert page.evaluate(back) == "rgb(255, 255, 255)", "it is kept"
    page.locator("#theme").click()
    assert page.evaluate(back) == dark
    one.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(browser: Any, some_site: Path, scheme: str) -> None:
    one = Opened(browser, some_site, color_scheme=scheme)
    page = one.open()
    for route in routes(page):
        one.open(route)
        page.wait_for_timeout(50)
        assert page.evaluate(CONTRASTS) == [], route
    one.close()


def test_two_runs_side_by_side(opened: Opened) -> None:
    page = opened.open()
    judged = page.evaluate("site.index.verdicts.find((one) => one.verdict === 'fail').id")
    opened.open(f"#/verdict?id={judged}")
    words = page.locator("main").inner_text()
    assert "slower by 6.1 %" in words and "+6.1 %" in words and "[+4.9, +7.3]" in words and "0.0004" in words
    page.locator("summary", has_text="evidence").first.click()
    page.get_by_text("fresh_launches").wait_for()
    page.get_by_role("link", name="Compare both runs").click()
    page.wait_for_selector(".callout")
    assert "gate on this pair" in page.locator(".callout").inner_text()
    both = page.get_by_role("region", name="Values of both runs")
    assert both.locator("tbody tr").count() == 48
    assert "no evidence either way" in both.inner_text()
    ids = page.evaluate("[site.index.runs[0].id, site.index.runs.at(-1).id]")
    opened.open(f"#/compare?a={ids[0]}&b={ids[1]}")
    assert "another text or task was read" in page.get_by_role("region", name="Not comparable").inner_text()
    assert page.locator(".callout").count() == 0, "nobody judged this pair"


def test_the_frontier_of_each_commit(opened: Opened) -> None:
    page = opened.open("#/frontier")
    page.wait_for_selector("path.dot[tabindex]")
    names = page.locator("path.dot[tabindex]").evaluate_all("dots => dots.map((dot) => dot.getAttribute('aria-label'))")
    assert len(names) == 8 and any("small, int4" in name and "on the front" in name for name in names)
    front = {row.split("\t")[0] for row in page.locator("tbody tr").all_inner_texts() if row.endswith("yes")}
    rows = page.evaluate(VALUES_OF_THE_LAST_COMMIT)
    assert front == {name for name, of in rows.items() if not any(beaten(of, other) for other in rows.values())}
    slider = page.get_by_role("slider", name="Commit")
    slider.focus()
    page.keyboard.press("Home")
    opened.until("document.getElementById('main').dataset.shown.includes('run=')")
    assert synthetic.commit(0)[:10] in page.locator(".commit").inner_text()


VALUES_OF_THE_LAST_COMMIT = """async () => {
    const { values } = await site.data.values(site.index.runs.at(-1));
    const found = {};
    for (const one of values) {
        const name = `${one.series.place.model}, ${site.words.setting(one.series.place, "precision")}`;
        const { name: metric, kind } = one.series.metric;
        if (kind === "value") (found[name] ??= {})[metric] = one.value;
    }
    return found;
}"""


def beaten(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether another point is at least as good in all and better in one."""
    a, b = ((of["decode_rate"], -of["bits_per_byte"], -of["peak_memory"]) for of in (one, other))
    return all(y >= x for x, y in zip(a, b, strict=True)) and a != b


HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>",
    "\"quotes' & <b>bold</b> {{constructor}} ${alert(3)}",
    "line\nbreak\x07\x1b[31m\u2028\u2029",
    "gnp.\u202eevil\u2066\u200f",
    "__proto__",
    "javascript:alert(4)",
    "x" * 500,
)


def test_hostile_names_are_text(browser: Any, tmp_path: Path) -> None:
    rows = []
    for number, name in enumerate(HOSTILE):
        for row in synthetic.rows_of_commit(number, len(HOSTILE), 3):
            where = json.dumps({"precision": name, name: name})
            facts = {"run": name, "branch": name, "commit": name, "suite": name, "model": name, "measure": name}
            facts |= {"metric": name, "unit": name, "definition": name, "machine_class": name, "where": where}
            rows.append(replace(row, **facts, part=name, reason=name, run_id=f"{name}{number}"))
    made = History(Path("history"), table_of(rows), (HOSTILE[0],), ())
    verdict = synthetic.verdict_of_commit(1, 3)
    said = {name: name for name in HOSTILE} | {"judged": [{"reason": HOSTILE[0], "at": {HOSTILE[0]: 1}}, 3, None]}
    facts = {"run": HOSTILE[0], "reason": HOSTILE[1], "suite": HOSTILE[3], "said": said, "run_id": f"{HOSTILE[0]}0"}
    vars(made)["_verdicts"] = ((verdict.model_copy(update=facts),), ())
    one = Opened(browser, written(tmp_path / "site", made, title=HOSTILE[0]))
    page = one.open()
    page.set_viewport_size({"width": 360, "height": 740})
    for route in ("#/runs", "#/trends", "#/verdicts", "#/frontier", "#/compare"):
        one.open(route)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, route
        assert page.locator("main script, main img, main b").count() == 0
    one.open("#/runs")
    words = page.locator("main").inner_text()
    assert "<script>alert(1)</script>" in words and "\\u202e" in words and "\u202e" not in words and "\\x1b" in words
    hrefs = page.locator("a").evaluate_all("links => links.map((link) => link.protocol)")
    assert set(hrefs) == {"file:"}
    for number in range(len(HOSTILE)):
        for view, of in (("run", "runs"), ("series", "series")):
            one.open(
                page.evaluate(
                    "([view, of, number]) => site.address.href(view, {id: site.index[of][number].id})",
                    [view, of, number],
                )
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
    one.open(page.evaluate("site.address.href('verdict', {id: site.index.verdicts[0].id})"))
    assert "<script>alert(1)</script>" in page.locator("main").inner_text()
    one.open("#/constructor?id=%00&a=__proto__&sort=__proto__")
    assert page.locator("h1").inner_text() == "Runs", "an address of nothing shows the runs"
    for view in ("run", "series", "verdict"):
        one.open(f"#/{view}?id=%3Cscript%3E")
        assert "no such" in page.locator("main").inner_text()
    one.close()


def test_a_single_run(browser: Any, tmp_path: Path) -> None:
    one = Opened(browser, written(tmp_path / "site", synthetic.history(1)))
    page = one.open()
    for route in (
        "#/runs",
        "#/trends",
        "#/frontier",
        "#/compare",
        "#/verdicts",
        first_of(page, "series"),
        first_of(page, "runs"),
    ):
        one.open(route)
    one.open("#/compare")
    assert "takes two runs" in page.locator("main").inner_text()
    one.close()


def first_of(page: Any, of: str) -> str:
    view = "run" if of == "runs" else of
    route: str = page.evaluate("([view, of]) => site.address.href(view, {id: site.index[of][0].id})", [view, of])
    return route


def test_nothing_that_can_be_read(browser: Any, tmp_path: Path) -> None:
    damage = ("suite=a/machine=b/c.parquet: its sha256 is another, so it is left out",)
    one = Opened(browser, written(tmp_path / "site", History(Path("history"), table_of([]), damage, ())))
    page = one.open()
    for view in VIEWS:
        one.open(f"#/{view}")
        assert page.locator(".empty").count() == 1, view
    assert "c.parquet: its sha256 is another" in page.locator("aside").inner_text()
    one.close()


def test_a_file_of_data_that_is_gone_is_named(browser: Any, tmp_path: Path) -> None:
    folder = written(tmp_path / "site", synthetic.history(3))
    next(folder.glob("data/values-0-*.js")).unlink()
    one = Opened(browser, folder)
    page = one.open()
    one.open(first_of(page, "runs"))
    assert "data/values-0-" in page.get_by_role("alert").inner_text()
    one.open("#/runs")
    assert page.locator("tbody tr").count() == 3
    assert all("ERR_FILE_NOT_FOUND" in problem for problem in one.problems)
    one.problems.clear()
    one.close()


NUMBERS = [
    *(
        (12.345678, 12.01, 12.7, "ms"),
        (0.00234, 0.0021, 0.0025, "s"),
        (3.1e6, None, None, "bytes"),
        (0.731, 0.7, 0.76, "share"),
    ),
    *(
        (0.5, 0.41, 0.59, "fraction"),
        (19556.3, 19068, 20624, "tokens/s"),
        (1.0, None, None, None),
        (0.0, -1.5, 1.5, "nats"),
    ),
    *(
        (1234567.0, None, None, "parameters"),
        (1.5e9, None, None, "tokens"),
        (3.3e-7, 3.2e-7, 3.4e-7, "s"),
        (None, None, None, "s"),
    ),
    *(
        (-0.0314, -0.05, -0.01, "nats"),
        (1.0056, 1.0056, 1.0056, "ratio"),
        (2.5e-5, None, None, "ratio"),
        (999.96, 999.1, 1000.9, ""),
    ),
]


def test_numbers_look_as_in_the_reports(opened: Opened) -> None:
    page = opened.open()
    told = page.evaluate("given => given.map((one) => site.numbers.told(...one))", NUMBERS)
    assert told == [with_interval(*one) for one in NUMBERS]


def test_five_hundred_commits_open(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.history.steps.change_points", lambda values: [])  # seconds, and not what is asked here
    one = Opened(browser, written(tmp_path / "site", synthetic.history(500, metrics=8)))
    page = one.open()
    assert page.locator("tbody tr").count() == 100, "rows are drawn some at a time"
    page.get_by_role("button", name="Show 400 more").click()
    assert page.locator("tbody tr").count() == 500
    one.open("#/trends")
    page.wait_for_selector(".card svg")
    assert page.evaluate("document.querySelectorAll('*').length") < 3_000, "a chart of 500 points is a few paths"
    one.close()


def test_values_behind_a_break_keep_their_unit(browser: Any, tmp_path: Path) -> None:
    def rows(number: int) -> list[Row]:
        unit, value = ("s", 2.0) if number < 3 else ("ms", 2.5)
        facts = {"kind": "value", "depends_on": "memory", "low": value, "high": value, "value": value, "unit": unit}
        return [row_of_commit(number, **facts)]

    opened = Opened(browser, written(tmp_path / "site", read_history(write(tmp_path / "h", [*map(rows, range(6))]))))
    page = opened.open()
    opened.open(f"#/series?id={page.evaluate('site.index.series[0].id')}")
    page.get_by_text("Table of 6 points").click()
    words = page.get_by_role("region", name="Points", exact=True).inner_text()
    assert words.count("2 s") == 3 and words.count("2.500 ms") == 3
    opened.open(f"#/run?id={page.evaluate('site.index.runs[0].id')}")
    assert re.search(r"\b2\s+s\b", page.locator("main").inner_text())
    opened.close()


def test_an_axis_is_no_finer_than_what_is_kept(browser: Any, tmp_path: Path) -> None:
    value = 3.2696251894380755
    history = read_history(
        straight(tmp_path / "h", 3, lambda _: value, kind="value", depends_on=None, low=value, high=value)
    )
    opened = Opened(browser, written(tmp_path / "site", history))
    page = opened.open()
    opened.open(f"#/series?id={page.evaluate('site.index.series[0].id')}")
    ticks = [
        float(one) for one in page.locator(".chart text.tick").all_text_contents() if re.fullmatch(r"\d\.\d+", one)
    ]
    assert len(ticks) > 2 and min(ticks) < 3.26 and max(ticks) > 3.28
    opened.close()


def test_heads_of_the_frontier_stand_apart_whatever_the_settings(browser: Any, tmp_path: Path) -> None:
    some = synthetic.history(3)
    many = {f"setting_{number}": "of several words" for number in range(8)}
    rows = some.table.to_pylist()
    told = [Row(**(row | {"where": json.dumps(json.loads(row["where"]) | many)})) for row in rows]
    opened = Opened(browser, written(tmp_path / "site", replace(some, table=table_of(told))))
    page = opened.open("#/frontier")
    page.get_by_role("region", name="Points of this commit").wait_for()
    heads = page.locator("thead th")
    assert heads.count() > 3
    assert heads.evaluate_all("heads => heads.every((one) => one.scrollWidth <= one.clientWidth)")
    opened.close()


def test_the_ratio_of_two_runs_has_the_interval_that_the_library_gives(opened: Opened) -> None:
    """Known bad: a page whose formula is another than `independent_ratio`, its oracle."""
    page = opened.open()
    drawn = np.random.default_rng(0)
    for _ in range(40):
        (a, a_low, a_high), (b, b_low, b_high) = (
            (value, value * drawn.uniform(0.5, 1), value * drawn.uniform(1, 2)) for value in drawn.lognormal(size=2)
        )
        told = [told_of(a, a_low, a_high), told_of(b, b_low, b_high)]
        expected = independent_ratio(PositiveEstimate(b, b_low, b_high), PositiveEstimate(a, a_low, a_high))
        found = page.evaluate("([a, b]) => site.ratioEnds(a, b)", told)
        assert found == pytest.approx([expected.low, expected.high], rel=1e-12)
    none, exact = told_of(2, None, None), told_of(2, None, None) | {"how": {"confidence": 0.95, "interval": "exact"}}
    other = told_of(3, 2, 4) | {"how": {"confidence": 0.9, "interval": "t"}}
    for pair in ([told_of(1, 0.9, 1.1), none], [none, told_of(1, 0.9, 1.1)], [exact, exact], [told_of(3, 2, 4), other]):
        assert page.evaluate("([a, b]) => site.ratioEnds(a, b)", pair) is None
    found = page.evaluate("([a, b]) => site.ratioEnds(a, b)", [exact, told_of(3, 2, 4)])
    assert found == pytest.approx([1, 2])
    ids = page.evaluate("[site.index.runs[0].id, site.index.runs[1].id]")
    opened.open(f"#/compare?a={ids[0]}&b={ids[1]}")
    row = page.get_by_role("region", name="Values of both runs").locator("tbody tr", has_text="bits_per_byte").first
    assert re.search(r"× [0-9.]+\s*\[[0-9.]+, [0-9.]+\]", row.inner_text())
    assert "as if they were independent" in page.locator("main").inner_text()


def told_of(value: float, low: float | None, high: float | None) -> dict[str, Any]:
    """A value as the page has it."""
    how = {"confidence": 0.95, "interval": "t"}
    return {"value": value, "low": low, "high": high, "how": how, "series": {"metric": {"dependsOn": None}}}


def test_an_ab_shows_a_table(browser: Any, tmp_path: Path) -> None:
    some = synthetic.history(3)
    kept = some.verdicts[0].model_copy(
        update={"kind": "ab", "said": synthetic.AB | {"arms": {"a": {"text": "<b>main</b>"}}}}
    )
    vars(some)["_verdicts"] = ((kept,), ())
    opened = Opened(browser, written(tmp_path / "site", some))
    page = opened.open(f"#/verdict?id={kept.digest[:16]}")
    table = page.get_by_role("region", name="Compared").inner_text()
    assert "<b>main</b>" in table and "b takes 1.0600 [1.0500, 1.0700] of a's" in table
    opened.close()
