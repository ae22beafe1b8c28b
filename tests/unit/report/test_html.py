"""The gate report is one file that says everything about a verdict, and no text in it becomes markup."""

import re
import shlex
from html.parser import HTMLParser

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report.samples import ALL, CONDITIONS, FAILED, FIRST, NOISE, PASSED, UNDECIDED, WITHHELD, hostile, pipeline

from helping import examples
from taxiway.cli import main
from taxiway.records import ReasonCode, Status
from taxiway.report import ReportContent, gate_report
from taxiway.report.headline import TITLES
from taxiway.report.next_steps import next_steps

FIRST_STATUS = [Status.FAIL, Status.UNDECIDED, Status.PASS, Status.NOT_APPLICABLE, Status.INFO]
VOID = {"meta", "br", "hr", "img", "input", "link", "rect", "line", "circle"}
TAGS = (
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "header",
        "section",
        "h1",
        "h2",
        "h3",
        "p",
        "span",
        "b",
        "code",
    ),
    *("ol", "ul", "li", "dl", "dt", "dd", "div", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "meter"),
    *("svg", "rect", "line", "circle", "text"),
)


class Page(HTMLParser):
    """The elements, attributes and text of a page; every element must be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("content", ALL.values(), ids=ALL)
def test_every_reason_is_in_the_report_failing_ones_first(content: ReportContent) -> None:
    text = Page(gate_report(content)).text
    places = [text.find(words(reason.message)) for reason in content.verdict.reasons]
    assert -1 not in places
    statuses = [
        reason.status for _, reason in sorted(zip(places, content.verdict.reasons, strict=True), key=lambda one: one[0])
    ]
    assert statuses == sorted(statuses, key=FIRST_STATUS.index)


@pytest.mark.parametrize("content", ALL.values(), ids=ALL)
def test_the_report_loads_nothing_and_runs_nothing(content: ReportContent) -> None:
    html = gate_report(content)
    page = Page(html)
    assert set(page.tags) <= set(TAGS)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("href", "src", "srcset", "xlink:href")]
    assert re.findall(r"(?:https?:)?//[\w.]", html.replace("s3://lake", "")) == []
    assert "url(" not in html
    assert "@import" not in html


@pytest.mark.parametrize("content", ALL.values(), ids=ALL)
def test_every_interval_is_drawn_within_its_picture(content: ReportContent) -> None:
    html = gate_report(content)
    pictures = re.findall(r'<svg class="picture (?:good|bad|open|none)" viewBox="0 0 (\d+) \d+".*?</svg>', html, re.DOTALL)
    assert len(pictures) == sum(reason.estimate is not None for reason in content.verdict.reasons)
    places = [float(value) for name, value in Page(html).attributes if name in ("x", "x1", "x2", "cx")]
    assert all(0 <= place <= 320 for place in places)


def test_the_verdict_is_the_first_sentence() -> None:
    headings = {
        "Version 2 of flights.late_arrivals meets all requirements and may replace version 1, the champion.": PASSED,
        "Version 2 of flights.late_arrivals meets all requirements and may become the first champion.": FIRST,
        "Version 2 of flights.late_arrivals meets all requirements and may replace version 1, the champion, if a person approves it.": NOISE,
        "There is too little evidence about version 2 of flights.late_arrivals: 2 requirements are undecided; version 1 stays the champion.": (
            UNDECIDED
        ),
        "Version 2 of flights.late_arrivals does not meet 4 requirements; version 1 stays the champion.": FAILED,
    }
    for sentence, content in headings.items():
        found = re.search(r"<h1>(.*?)</h1>", gate_report(content), re.DOTALL)
        assert found is not None
        assert words(re.sub(r"<[^>]+>", "", found[1])) == f"{content.verdict.status} {sentence}"


def test_sections_are_in_the_order_in_which_they_are_read() -> None:
    assert Page(gate_report(PASSED)).ids == ["reasons", "slices", "data", "baselines", "budget", "next", "card", "methods"]


def test_withheld_scores_leave_no_section_and_no_number() -> None:
    page = Page(gate_report(WITHHELD))
    assert page.ids == ["reasons", "data", "budget", "next", "card", "methods"]
    assert (
        "2 of 8 models tried on these 27,564 rows, none passed; up to 6 more may be tried. Of the allowed error, 75.0%"
        in page.text
    )
    assert "Scores are withheld (gate.show: decision), because up to 7 more models may be tried on these rows" in page.text
    assert "The scores of this evaluation are withheld" in page.text
    assert "0.748" not in page.text
    assert "svg" not in page.tags


def test_the_model_card_says_what_the_model_is_for_and_of_what_it_is_made() -> None:
    text = Page(gate_report(PASSED)).text
    for part in (
        "Predicts, a day before, which flights arrive more than 15 minutes late.",
        "Goal roc_auc of at least 0.7: reached",
        "Must not be used for decisions about crews airports outside of New York",
        "Owner team flights",
        "Trained on 3 spans, 2013-02 to 2013-04: 82,115 rows",
        "Evaluated on 2013-05: 28,796 rows",
        "s3://lake/flights/{YYYY}-{MM}.parquet",
        "Training 4.6 s, 8.9 s of CPU time, about 0.03 Wh",
        "Size 1.2 MB",
        "origin LGA: worse, but not shown to be beyond the limit, -0.0180 (-0.0300 to -0.0060)",
        "not compared, so nothing is known: carrier HA",
    ):
        assert part in text


def test_a_pipeline_without_a_purpose_says_so() -> None:
    import dataclasses

    text = Page(gate_report(dataclasses.replace(PASSED, pipeline=pipeline(purpose=None)))).text
    assert "The pipeline file does not say what the model is for" in text


def test_the_methods_have_their_sources() -> None:
    text = Page(gate_report(PASSED)).text
    for part in ("Efron (1979)", "Dunn (1961)", "Paired:", "Seed 20130101", "scikit-learn", PASSED.verdict.digest):
        assert part in text
    conditions = Page(gate_report(CONDITIONS)).text
    for part in ("Clopper and Pearson (1934)", "Holm (1979)", "Renggli et al. (2019)"):
        assert part in conditions


@pytest.mark.parametrize("content", ALL.values(), ids=ALL)
def test_the_commands_of_a_report_exist(content: ReportContent) -> None:
    for step in next_steps(content):
        if not step.command:
            continue
        group: click.Command = main
        name, *given_words = shlex.split(" ".join(step.command))
        assert name == "taxiway"
        while isinstance(group, click.Group):
            group = group.commands[given_words.pop(0)]
        options = {option for param in group.params for option in param.opts}
        assert {word for word in given_words if word.startswith("--")} <= options, step.command


def test_a_person_is_told_what_the_verdict_allows() -> None:
    def commands(content: ReportContent) -> str:
        return "; ".join(" ".join(step.command) for step in next_steps(content))

    assert "taxiway approve flights.late_arrivals/2" in commands(NOISE)
    assert "taxiway approve" not in commands(PASSED)
    assert "taxiway force" not in commands(PASSED)
    assert "taxiway force flights.late_arrivals/2" in commands(UNDECIDED)
    assert "--anomaly range:wind_speed --until" in commands(FAILED)
    assert "--anomaly domain:carrier --until" in commands(FAILED), "its waiver has expired"


def test_every_reason_of_a_verdict_has_a_title() -> None:
    without = {code for code in ReasonCode if code not in TITLES}
    assert all(code.value.startswith("shadow.") or code is ReasonCode.UNKNOWN for code in without)


HOSTILE = (
    "<script>alert('x')</script>\"'",
    "</style><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)><b a='",
    "{{ 7 * 7 }}{% raw %}",
    "<!-- -->]]><svg onload=alert(1)>",
    "javascript:alert(1)",
    "\u202e\u0000\ud7ff & &amp; &lt;script&gt;",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text: str) -> None:
    page = Page(gate_report(hostile(text)))
    assert set(page.tags) <= set(TAGS)
    assert {name for name, _ in page.attributes} == {name for name, _ in Page(gate_report(hostile("x"))).attributes}
    assert page.tags == Page(gate_report(hostile("x"))).tags, "the same elements as with a harmless text"
    if "\u0000" not in text:
        assert words(text) in page.text


@examples(20)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(lambda text: text.strip() != ""))
def test_no_text_at_all_becomes_markup(text: str) -> None:
    assert Page(gate_report(hostile(text))).tags == Page(gate_report(hostile("x"))).tags
