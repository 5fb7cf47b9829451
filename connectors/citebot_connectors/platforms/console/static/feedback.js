// Helpful or not, and why.

import * as api from "./api.js";
import { announce, el, icon } from "./dom.js";

const REASONS = ["Wrong", "Out of date", "Incomplete", "Wrong source", "Hard to understand"];
let made = 0;

/** The two buttons and, behind the second, the form that asks why. */
export function feedbackBar(answerId) {
  const helpful = choice("up", "Helpful");
  const unhelpful = choice("down", "Not helpful");
  const form = el("div", { class: "why-place" });
  helpful.addEventListener("click", async () => {
    form.replaceChildren();
    press(helpful, unhelpful);
    await keep(answerId, "helpful", "", form);
  });
  unhelpful.addEventListener("click", () => {
    press(unhelpful, helpful);
    const why = reasonForm(answerId, form, unhelpful);
    form.replaceChildren(why);
    why.querySelector("input").focus();
  });
  return [helpful, unhelpful, form];
}

function choice(drawing, words) {
  return el("button", { type: "button", class: "action verdict", "aria-pressed": "false" }, icon(drawing), el("span", {}, words));
}

function press(pressed, other) {
  pressed.setAttribute("aria-pressed", "true");
  other.setAttribute("aria-pressed", "false");
}

function reasonForm(answerId, place, back) {
  made += 1;
  const reasons = REASONS.map((reason) => el("label", { class: "chip" },
    el("input", { type: "radio", name: `reason-${made}`, value: reason }), el("span", {}, reason)));
  const more = el("textarea", { id: `more-${made}`, rows: "2", maxlength: "1500", placeholder: "What would have been right?" });
  const form = el("form", { class: "why", "aria-label": "Why the answer was not helpful" },
    el("fieldset", {}, el("legend", {}, "What was wrong?"), el("div", { class: "chips" }, ...reasons)),
    el("label", { for: more.id, class: "hidden" }, "Details"), more,
    el("div", { class: "buttons" }, el("button", { class: "primary" }, "Send"),
      el("button", { type: "button", class: "quiet", onclick: () => close() }, "Cancel")));
  const close = () => {
    place.replaceChildren();
    back.setAttribute("aria-pressed", "false");
    back.focus();
  };
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const chosen = form.querySelector("input:checked")?.value ?? "";
    back.focus();
    await keep(answerId, "not_helpful", [chosen, more.value.trim()].filter(Boolean).join(": "), place);
  });
  return form;
}

async function keep(answerId, verdict, reason, place) {
  try {
    await api.feedback(answerId, verdict, reason);
    place.replaceChildren(el("p", { class: "thanks" }, "Thank you. This helps to make the answers better."));
    announce("Thank you. Your feedback was kept.");
  } catch (error) {
    place.replaceChildren(el("p", { class: "failure" }, icon("info"), el("span", {}, `Your feedback was not kept. ${error.message}`)));
    announce("Your feedback was not kept.");
  }
}
