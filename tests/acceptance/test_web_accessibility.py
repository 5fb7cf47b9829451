"""What people who do not see, hear or point like others need of the web chat, measured in the browser."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

pytest.importorskip("selenium")

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
Page = Any
"""`Page` of conftest.py."""
NAMED = {
    "button",
    "link",
    "textbox",
    "combobox",
    "checkbox",
    "radio",
    "region",
    "complementary",
    "dialog",
    "form",
    "img",
}

CONTRAST = """
const parse = (color) => { const n = color.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
const light = (c) => c.slice(0, 3).map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
const ground = (node) => {
  const layers = [];
  for (let at = node; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
};
const visible = (node) => !node.closest(".hidden, .skip")
  && node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
const weak = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !visible(node) || node.closest("noscript, option")) continue;
  const below = ground(node);
  const found = ratio(over(parse(getComputedStyle(node).color), below), below);
  if (found < 4.5) weak.push([walker.currentNode.data.trim().slice(0, 40), node.className, found.toFixed(2)]);
}
for (const field of document.querySelectorAll("textarea, input[type=password]")) {
  if (!visible(field)) continue;
  const below = ground(field);
  const hint = ratio(parse(getComputedStyle(field, "::placeholder").color), below);
  if (field.placeholder && hint < 4.5) weak.push([field.placeholder, "placeholder", hint.toFixed(2)]);
  const box = field.closest(".field") ?? field;
  const edge = ratio(parse(getComputedStyle(box).borderTopColor), ground(box.parentElement));
  if (edge < 3) weak.push([field.id, "border", edge.toFixed(2)]);
}
for (const drawing of document.querySelectorAll("svg.drawing, .dot, .steps li")) {
  if (!visible(drawing)) continue;
  const style = getComputedStyle(drawing, drawing.matches("li") ? "::before" : null);
  const colour = drawing.matches("svg") ? style.stroke : style.backgroundColor;
  const found = ratio(parse(colour), ground(drawing.parentElement));
  if (found < 3) weak.push([drawing.outerHTML.slice(0, 40), "drawing", found.toFixed(2)]);
}
return weak;
"""

TARGETS = """
return [...document.querySelectorAll("button, select, summary, input[type=checkbox], label.chip")]
  .filter((node) => node.checkVisibility() && !node.matches(".cite"))
  .map((node) => [node.id || node.className || node.textContent, node.closest("label") ?? node])
  .map(([name, node]) => [name, node.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24).map(([name, box]) => [name, box.width, box.height]);
"""

IDS = "return [...document.querySelectorAll('[id]')].map((node) => node.id)"


def tree(page: Page) -> list[dict[str, Any]]:
    """The accessibility tree as screen readers get it."""
    nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [
        {"role": node["role"]["value"], "name": node.get("name", {}).get("value", "")}
        for node in nodes
        if not node.get("ignored") and "role" in node
    ]


def everything_named(page: Page) -> list[dict[str, Any]]:
    """Check names and ids of what is on the page now; returns the tree."""
    nodes = tree(page)
    nameless = [node for node in nodes if node["role"] in NAMED and not node["name"].strip()]
    assert nameless == []
    ids = Counter(page.driver.execute_script(IDS))
    assert [name for name, count in ids.items() if count > 1] == []
    assert page.driver.execute_script(TARGETS) == []
    return nodes


def roles(nodes: list[dict[str, Any]], role: str) -> list[str]:
    return [node["name"] for node in nodes if node["role"] == role]


def show_everything(page: Page) -> None:
    """Bring every kind of thing onto the page at once."""
    for number, question in enumerate(
        ["Who won the cup?", "Please fail", "How do I restore it?", "What is the allowance?"], 1
    ):
        page.ask(question)
        page.answered(number)
    page.click(".turn:last-child .verdict + .verdict")
    page.all(".turn:last-child .chip")[0].click()
    page.click(".turn:last-child .cite")
    page.one("#document mark")
    page.click("#sources-line")
    scrolls = "return [document.documentElement, document.body].map((node) => [node.scrollTop, node.scrollLeft])"
    assert page.driver.execute_script(scrolls) == [[0, 0], [0, 0]], "only the panes scroll, never the page"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_can_be_read(page: Page, theme: str) -> None:
    page.driver.execute_script("localStorage.setItem('citebot.theme', arguments[0])", theme)
    page.visit()
    assert page.driver.execute_script(CONTRAST) == []
    page.world.holds = True
    page.ask("What is the allowance?")
    page.until(lambda: "28 euros" in page.one(".answer").text)
    assert page.driver.execute_script(CONTRAST) == []
    page.world.release()
    page.answered()
    page.click("#new")
    show_everything(page)
    assert page.driver.execute_script(CONTRAST) == []
    page.shot(f"16-everything-{theme}")


@pytest.mark.parametrize(("theme", "weak"), [("light", "#777b80"), ("dark", "#71767a")])
def test_the_contrast_check_sees_weak_text(page: Page, theme: str, weak: str) -> None:
    page.driver.execute_script("localStorage.setItem('citebot.theme', arguments[0])", theme)
    page.visit()
    page.driver.execute_script("document.getElementById('welcome-title').style.color = arguments[0]", weak)
    assert [found[0] for found in page.driver.execute_script(CONTRAST)] == ["What would you like to know?"]


def test_the_empty_page_has_landmarks_and_names(page: Page) -> None:
    nodes = everything_named(page)
    assert len(roles(nodes, "main")) == 1
    assert len(roles(nodes, "banner")) == 1
    assert roles(nodes, "form") == ["Ask a question"]
    assert roles(nodes, "heading") == ["What would you like to know?"]
    assert "Your question" in roles(nodes, "textbox")
    assert page.driver.execute_script("return document.documentElement.lang") == "en"


def test_a_full_page_has_names_for_everything(page: Page) -> None:
    show_everything(page)
    nodes = everything_named(page)
    assert "Citation 1: Travel and expenses" in roles(nodes, "button")
    assert roles(nodes, "complementary") == ["Travel and expenses"]
    assert "What was wrong?" in roles(nodes, "group")
    assert "Wrong" in roles(nodes, "radio")
    headings = roles(nodes, "heading")
    assert "What is the allowance?" in headings
    assert "Travel and expenses" in headings
    assert {"Sources", "Closest documents"} <= set(headings)


def test_a_phone_has_names_for_everything(page: Page) -> None:
    page.size(390, 844)
    page.visit()
    everything_named(page)
    page.ask("What is the allowance?")
    page.answered()
    page.click(".cite")
    page.one("#document mark")
    nodes = everything_named(page)
    assert roles(nodes, "dialog") == ["Travel and expenses"]
    assert roles(nodes, "main") == [], "what is covered is out of reach"


def test_the_answer_is_read_aloud_in_sentences_once(page: Page) -> None:
    page.ask("What is the daily allowance?")
    page.answered()
    live = page.all("#live")[0]
    assert live.get_attribute("aria-live") == "polite"
    heard = [line.get_property("textContent") for line in page.all("#live p")]
    sentence = "Inside the country you get 28 euros for a full day and 14 euros for the days of arrival and departure."
    assert sum("Inside the country" in line for line in heard) == 1
    assert any(" ".join(line.split()).startswith(sentence) for line in heard)
    assert heard[-1] == "The answer is complete. Documents cited: 2."
    assert not any("[1]" in line or "**" in line for line in heard)


def test_focus_is_always_visible(page: Page) -> None:
    page.ask("What is the daily allowance?")
    page.answered()
    script = """
      const node = document.activeElement, box = node.closest('.field') ?? node;
      const chip = node.matches('.chip input') ? node.nextElementSibling : box;
      const style = getComputedStyle(chip);
      return [node.id || node.className, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];
    """
    seen = []
    while not seen or seen[-1][0] != "skip":
        seen.append(page.driver.execute_script(script))
        page.press("\ue008", "\ue004")  # Shift, Tab
        assert len(seen) < 30
    assert len({name for name, _ in seen}) > 6
    assert [name for name, shown in seen if not shown] == []
