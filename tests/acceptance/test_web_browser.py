"""The web chat in a real browser, clicked through the way people do. Screenshots go to `.cache/screenshots`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from citebot.model import Feedback
from citebot.testing.scripted_desk import Finish

pytest.importorskip("selenium")
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

# One browser for all of these: xdist keeps them together.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
Page = Any
"""`Page` and `World` of conftest.py."""
World = Any
PEOPLE = {"maria": "Maria Santos · Sales", "jonas": "Jonas Weber · Engineering"}
QUESTIONS = ["What is the daily allowance?", "How do I restore the billing database?", "What happens on my first day?"]


def test_an_answer_streams_in_and_ends_with_its_sources(page: Page, world: World) -> None:
    page.shot("01-welcome")
    world.holds = True
    page.ask("What is the daily allowance?")
    page.until(lambda: "28 euros" in page.one(".answer").text)
    assert page.one("#stop").is_displayed()
    assert not page.all(".reference")
    page.shot("02-streaming")
    world.release()
    page.answered()
    assert [e.text for e in page.all(".answer .cite")] == ["1", "2"]
    assert [e.text for e in page.all(".answer th")] == ["Country", "Full day", "Arrival and departure"]
    assert len(page.all(".reference")) == 2
    assert "An older version" in page.one(".notes").text
    assert page.one("#send").is_displayed()
    page.shot("03-answer")


def test_a_citation_opens_its_passage_inside_the_document(page: Page) -> None:
    page.ask("What is the daily allowance?")
    page.answered()
    page.click(".answer .cite[data-number='1']")
    page.one("#document mark")
    assert page.one("#document-title").text == "Travel and expenses"
    assert page.one("#document mark").text.startswith("The daily allowance inside the country is 28 euros")
    assert "handbook › Handbook › Working here" in page.one("#document-path").text
    assert "14 September 2026" in page.one("#document-facts").text
    link = page.one("#document-facts a")
    assert link.get_attribute("href") == "https://wiki.example.com/handbook/travel#daily-allowance"
    assert link.get_attribute("rel") == "noopener noreferrer"
    assert page.focused.get_attribute("id") == "document-title"
    page.shot("04-citation")
    page.click("#document-close")
    assert page.focused.get_attribute("data-number") == "1"


def test_code_tables_and_file_links_in_documents(page: Page) -> None:
    page.ask("How do I restore the billing database?")
    page.answered()
    assert "--jobs 4" in page.one(".answer pre").text
    page.click(".reference")
    assert "pg_restore" in page.one("#document .cited pre").text
    page.shot("05-code")
    page.ask("What happens on my first day?")
    page.answered(2)
    page.click(".turn:last-child .cite")
    page.until(lambda: page.one("#document-title").text == "Your first week")
    assert page.one(".file code").text == "/srv/handbook/onboarding.md"
    assert not page.all("#document-facts a")


def test_a_follow_up_carries_the_conversation(page: Page, world: World) -> None:
    page.click(".suggestion")
    page.answered()
    page.ask("And with breakfast?")
    page.answered(2)
    history = world.desk.accepted[1].history
    assert [turn.role for turn in history] == ["user", "assistant"]
    assert "28 euros" in history[1].text
    assert world.desk.accepted[0].conversation == world.desk.accepted[1].conversation
    page.shot("06-follow-up")


def test_stop_ends_the_answer_and_retry_asks_again(page: Page, world: World) -> None:
    world.holds = True
    page.ask("What is the daily allowance?")
    page.until(lambda: "28 euros" in page.one(".answer").text)
    page.click("#stop")
    page.until(lambda: world.desk.stopped == [1])
    world.release()
    page.answered()
    assert "Stopped before the end." in page.one(".notes").text
    assert not page.all(".answer table")
    page.click(".retry")
    page.one(".answer table")
    assert len(world.desk.accepted) == 2
    assert len(page.all(".turn")) == 1


def test_feedback_with_a_reason(page: Page, world: World) -> None:
    page.ask("What is the daily allowance?")
    page.answered()
    _helpful, unhelpful = page.all(".verdict")
    unhelpful.click()
    page.all(".chip")[1].click()
    page.one(".why textarea").send_keys("It is 30 euros since May.")
    page.shot("07-feedback")
    page.click(".why .primary")
    page.one(".thanks")
    answer = world.desk.answers[1]
    assert world.desk.feedback == [
        Feedback(answer.id, answer.question.asker, "not_helpful", "Out of date: It is 30 euros since May.")
    ]
    assert unhelpful.get_attribute("aria-pressed") == "true"


def test_not_knowing_is_said_and_failing_too(page: Page) -> None:
    page.ask("Who won the world cup?")
    page.answered()
    assert "I don't know" in page.one(".answer").text
    assert page.one(".closest .label").text == "Closest documents"
    assert len(page.all(".closest .reference")) == 3
    page.shot("08-unknown")
    page.ask("Please fail")
    page.answered(2)
    assert "not answering at the moment" in page.one(".failed .failure").text
    assert page.one(".failed .retry").is_displayed()


def test_a_reload_shows_what_may_still_be_seen(page: Page, world: World) -> None:
    page.ask("What is the daily allowance?")
    page.answered()
    page.ask("What happens on my first day?")
    page.answered(2)
    world.desk.hidden.add(world.desk.answers[1].id)
    page.visit()
    page.answered(2)
    first, second = page.all(".turn")
    assert "not yours to see" in first.text
    assert "28 euros" not in first.text
    assert "badge" in second.text
    assert len(world.desk.accepted) == 2
    assert [line for line in page.complaints() if "404" not in line] == []


def test_a_reload_in_the_middle_goes_on(page: Page, world: World) -> None:
    world.holds = True
    page.ask("What is the daily allowance?")
    page.until(lambda: "28 euros" in page.one(".answer").text)
    page.driver.refresh()
    page.until(lambda: "28 euros" in page.one(".answer").text)
    world.release()
    page.answered()
    assert len(world.desk.accepted) == 1


def test_a_restart_in_the_middle_loses_nothing(page: Page, world: World) -> None:
    world.holds = True
    page.ask("What is the daily allowance?")
    page.until(lambda: "28 euros" in page.one(".answer").text)
    world.restart()
    world.desk.keep(world.desk.accepted[0], Finish("The worker that took over wrote this."))
    page.answered()
    assert page.one(".answer").text == "The worker that took over wrote this."
    assert len(world.desk.accepted) == 1
    assert len(world.desk.deliveries) == 2
    assert [line for line in page.complaints() if "404" not in line and "ERR_" not in line] == []


def test_keyboard_alone(page: Page) -> None:
    passed = []
    while page.focused.get_attribute("class") != "skip":
        page.press(Keys.SHIFT, Keys.TAB)
        passed.append(page.focused.get_attribute("aria-label") or page.focused.text)
        assert len(passed) < 10
    assert passed[:-1] == [*reversed(QUESTIONS), "Dark mode"]
    assert page.focused.text == "Skip to the question field"
    page.press(Keys.ENTER)
    assert page.focused.get_attribute("id") == "question"
    page.press("What is the daily allowance?", Keys.ENTER)
    page.answered()
    page.driver.execute_script("document.activeElement.blur(); document.querySelector('.question').focus()")
    page.press(Keys.TAB)
    assert page.focused.get_attribute("data-number") == "1"
    page.press(Keys.ENTER)
    page.one("#document mark")
    page.press(Keys.ESCAPE)
    assert not page.all("#document")[0].is_displayed()
    assert page.focused.get_attribute("data-number") == "1"
    page.press("/")
    assert page.focused.get_attribute("id") == "question"


def test_dark_mode_is_chosen_and_remembered(page: Page) -> None:
    page.ask("What is the daily allowance?")
    page.answered()
    page.click("#theme")
    page.click(".answer .cite[data-number='2']")
    page.one("#document .cited table")
    page.shot("09-dark")
    page.visit()
    assert page.driver.execute_script("return getComputedStyle(document.documentElement).colorScheme") == "dark"
    assert page.one("#theme").get_attribute("aria-pressed") == "true"


def test_on_a_phone_the_document_covers_the_page(page: Page) -> None:
    page.size(390, 844)
    page.visit()
    page.shot("10-phone-welcome")
    page.ask("What is the daily allowance?")
    page.answered()
    page.shot("11-phone-answer")
    page.click(".answer .cite[data-number='1']")
    page.one("#document mark")
    panel = page.one("#document")
    assert (panel.get_attribute("role"), panel.get_attribute("aria-modal")) == ("dialog", "true")
    assert page.all("#chat")[0].get_property("inert")
    assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 390
    page.shot("12-phone-document")
    page.click("#document-close")
    assert not page.all("#chat")[0].get_property("inert")


def test_sources_are_listed_and_can_be_chosen(page: Page, world: World) -> None:
    assert page.one("#sources-line").text.startswith("Searches 2 sources · 315 documents · read 5 h ago")
    page.click("#sources-line")
    assert "2 could not be read" in page.one("#sources-list").text
    page.shot("13-sources")
    page.all("#sources-list input")[1].click()
    assert re.match(r"Searches handbook · 84 documents · read \d+ min ago", page.one("#sources-line").text)
    page.ask("What is the daily allowance?")
    page.answered()
    assert world.desk.accepted[0].sources == ("handbook",)


def test_demos_choose_who_asks(page: Page, worlds: Callable[..., World]) -> None:
    page.world = worlds(people=PEOPLE, person="maria")
    page.visit()
    page.ask("What happens on my first day?")
    page.answered()
    Select(page.one("#person")).select_by_value("jonas")
    assert not page.all(".turn")
    page.ask("What happens on my first day?")
    page.answered()
    page.shot("14-people")
    assert [inbound.asker.id for inbound in page.world.desk.accepted] == ["maria", "jonas"]


def test_signing_in_with_a_token(page: Page, worlds: Callable[..., World]) -> None:
    page.world = worlds(tokens={"maria": "a-very-long-secret-token"})
    page.driver.get(page.world.platform.address)
    page.one("#token").send_keys("a wrong token", Keys.ENTER)
    assert "not known here" in page.one("#complaint").text
    page.shot("15-sign-in")
    page.one("#token").send_keys("a-very-long-secret-token", Keys.ENTER)
    page.one("#question")
    page.ask("What happens on my first day?")
    page.answered()
    assert page.world.desk.accepted[0].asker.id == "maria"
    assert page.driver.execute_script("return document.cookie") == ""
    page.click("#logout button")
    page.one("#token")
    assert [line for line in page.complaints() if "403" not in line] == []
