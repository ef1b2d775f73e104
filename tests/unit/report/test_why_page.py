"""The page loads nothing, runs nothing, and no text in it becomes anything but text."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from tests.unit.report import place as stories
from tests.unit.report.place import Place

from cbctl.cli.why import as_page
from cbctl.report.why import explain
from cbctl.report.why_chart import Scale
from cbctl.report.why_page import is_ours
from cbctl.report.why_steps import Session

VOID = {"meta", "br", "link", "img", "input"}
ALLOWED = """ html head meta title style body main header section h1 h2 p dl dt dd div b i span code
pre ul ol li br time """
STORIES: list[Callable[[Place], object]] = [
    stories.succeeded,
    stories.resumed,
    stories.interrupted,
    stories.cancelled,
    lambda place: stories.failed(place, undo=True, back=False),
    stories.deploy_hostile,
]


class Reader(HTMLParser):
    """What a browser would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(place: Place) -> tuple[str, Reader]:
    page = as_page(explain(place.store, "last", "local")).decode()
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return page, reader


@pytest.mark.parametrize("story", STORIES)
def test_it_stands_by_itself(place: Place, story: Callable[[Place], object]) -> None:
    story(place)
    page, reader = read(place)
    assert reader.tags <= set(ALLOWED.split())
    assert not {"src", "href", "onclick", "onerror", "onload"} & reader.attributes
    assert "http:" not in page and "https:" not in page and "url(" not in page
    assert "default-src 'none'" in page
    assert not any(ord(c) < 32 and c != "\n" for c in page)
    assert is_ours(page.encode()[:4096])


def test_hostile_texts_stay_texts(place: Place) -> None:
    stories.deploy_hostile(place)
    page, reader = read(place)
    assert "<script" not in page and "\x1b" not in page and "\u202e" not in page
    assert reader.text.count("<script>alert('x')</script>\\x1b]0;owned") >= 8


def test_it_tells_the_story(place: Place) -> None:
    stories.failed(place, undo=True, back=False)
    page, reader = read(place)
    for told in (
        "deploy of local failed after 6.5 s; 1 change made and not undone, 1 undone",
        "not undone, exit 5",
        "api (verify) it does not answer on port 3000",
        "bind: address already in use",
        "stays: there is no way back",
        "failed, undone, 5.0 s",
        "by anna on anna-laptop",
        "--env local",
    ):
        assert told in reader.text, told
    assert 'class="bar failed"' in page


def test_a_gap_is_a_stripe(place: Place) -> None:
    stories.resumed(place)
    page, reader = read(place)
    assert "nobody ran it for 1 h" in reader.text and 'class="stripe"' in page
    assert "6.0 s of work within 1 h" in reader.text


def test_a_file_of_somebody_else_is_not_ours() -> None:
    assert not is_ours(b"") and not is_ours(
        b"<!DOCTYPE html>\n<html>\n<!-- written by cbctl why -->"
    )


def session(begin: float, end: float, gap: float | None = None) -> Session:
    return Session("a", "h", "started", "2026", begin, end, "", gap)


def test_time_is_to_scale_except_while_nobody_ran_it() -> None:
    whole = Scale([session(0, 10)])
    assert [whole.at(s) for s in (0, 5, 10, 99)] == [0, 50, 100, 100]
    two = Scale([session(0, 10), session(3610, 3620, 3600)])
    assert two.at(0) == 0 and two.at(3620) == pytest.approx(100)
    assert two.at(3610) - two.at(10) == pytest.approx(7)
    assert two.at(5) * 2 == pytest.approx(two.at(10))


def test_many_and_empty_sessions_stay_on_the_page() -> None:
    many = Scale([session(i * 100.0, i * 100.0, 100) for i in range(60)])
    places = [many.at(i * 100.0) for i in range(60)]
    assert places == sorted(places) and places[0] >= 0 and places[-1] <= 100.0001
