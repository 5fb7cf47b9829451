// One question and its answer on the page.

import { announce, copy, el, icon } from "./dom.js";
import { feedbackBar } from "./feedback.js";
import { drawInto, plain } from "./markdown.js";
import { facts, place } from "./words.js";

let made = 0;

export class TurnView {
  /** `open(citation, button)` shows a cited document, `retry()` asks again. */
  constructor(question, { open, retry }) {
    made += 1;
    this.open = open;
    this.citations = new Map();
    this.text = "";
    this.spoken = 0;
    this.heading = el("h2", { class: "question", id: `question-${made}`, tabindex: "-1" }, question);
    this.steps = el("ol", { class: "steps", "aria-label": "Progress" });
    this.body = el("div", { class: "answer" });
    this.after = el("div", { class: "after" });
    this.retry = retry;
    this.node = el("article", { class: "turn", "aria-labelledby": this.heading.id, "aria-busy": "true" },
      this.heading, this.steps, this.body, this.after);
  }

  step(stage, note) {
    for (const item of this.steps.children) item.className = "past";
    this.steps.append(el("li", { class: "now", "data-stage": stage }, note));
    if (this.steps.childElementCount === 1) announce(note);
  }

  reset() {
    this.text = "";
    this.spoken = 0;
    this.citations.clear();
    this.steps.replaceChildren();
    this.body.replaceChildren();
    this.after.replaceChildren();
    this.node.setAttribute("aria-busy", "true");
    this.node.classList.remove("failed");
  }

  add(text, citations) {
    for (const citation of citations) this.citations.set(citation.number, citation);
    if (text) while (this.steps.childElementCount > 1) this.steps.firstChild.remove();
    this.text += text;
    this.#redraw();
    this.#speak(false);
  }

  /** `quiet` leaves out the reading aloud: after a reload everything has been heard before. */
  finish(answer, { quiet = false } = {}) {
    this.citations = new Map(answer.citations.map((citation) => [citation.number, citation]));
    const streamed = this.text !== "";
    this.text = answer.text;
    this.#end();
    this.#redraw();
    this.after.replaceChildren(
      ...[this.#references(answer), this.#notes(answer.notes), this.#actions(answer)].filter(Boolean));
    if (quiet) return;
    if (!streamed) this.spoken = 0;
    this.#speak(true);
    if (answer.waiting) this.spoken = 0; // what takes its place is read from the beginning
    else announce(answer.citations.length ? `The answer is complete. Documents cited: ${answer.citations.length}.` : "The answer is complete.");
  }

  fail(notice) {
    this.#end();
    this.node.classList.add("failed");
    this.after.replaceChildren(
      el("p", { class: "failure" }, icon("info"), el("span", {}, notice)),
      el("div", { class: "actions" }, this.#again()));
    announce(notice);
  }

  #end() {
    this.steps.replaceChildren();
    this.node.setAttribute("aria-busy", "false");
  }

  #redraw() {
    drawInto(this.body, this.text, (number) => this.#cite(number));
  }

  #cite(number) {
    const citation = this.citations.get(number);
    if (!citation) return null;
    const button = el("button", { type: "button", class: "cite", "data-number": number, title: citation.title,
      "aria-label": `Citation ${number}: ${citation.title}` }, String(number));
    button.addEventListener("click", () => this.open(citation, button));
    return button;
  }

  #references(answer) {
    const known = answer.citations.length ? answer.citations : answer.answered ? [] : answer.closest;
    if (!known.length) return null;
    const title = answer.answered ? "Sources" : "Closest documents";
    const list = el("ol", { class: "references" });
    for (const reference of known) list.append(el("li", {}, this.#reference(reference)));
    return el("section", { "aria-label": title, class: answer.answered ? "" : "closest" }, el("h3", { class: "label" }, title), list);
  }

  #reference(reference) {
    const mark = reference.number ? el("span", { class: "number" }, String(reference.number)) : el("span", { class: "number" }, icon("page"));
    const where = place(reference);
    const button = el("button", { type: "button", class: "reference" }, mark,
      el("span", { class: "what" }, el("span", { class: "title" }, reference.title),
        where ? el("span", { class: "section" }, where) : "", el("span", { class: "facts" }, facts(reference))));
    button.addEventListener("click", () => this.open(reference, button));
    return button;
  }

  #notes(notes) {
    if (!notes.length) return null;
    return el("ul", { class: "notes", "aria-label": "Notes" }, ...notes.map((note) => el("li", {}, icon("info"), el("span", {}, note))));
  }

  #actions(answer) {
    const bar = el("div", { class: "actions" }, ...feedbackBar(answer.id));
    if (navigator.clipboard) {
      const button = el("button", { type: "button", class: "action" }, icon("copy"), el("span", {}, "Copy"));
      button.addEventListener("click", () => copy(this.#copied(answer), button, "Copied"));
      bar.append(button);
    }
    bar.append(this.#again());
    return bar;
  }

  #copied(answer) {
    const lines = answer.citations.map((c) => `[${c.number}] ${[c.title, place(c)].filter(Boolean).join(" › ")} ${c.link}`.trim());
    return [answer.text, lines.join("\n")].filter(Boolean).join("\n\n");
  }

  #again() {
    const button = el("button", { type: "button", class: "action retry" }, icon("retry"), el("span", {}, "Try again"));
    button.addEventListener("click", () => this.retry());
    return button;
  }

  // People who listen get whole sentences, once.
  #speak(all) {
    const rest = this.text.slice(this.spoken);
    const end = all ? rest.length : Math.max(rest.lastIndexOf(". "), rest.lastIndexOf("\n")) + 1;
    if (end <= 0) return;
    const words = plain(rest.slice(0, end));
    this.spoken += end;
    if (words) announce(words);
  }
}
