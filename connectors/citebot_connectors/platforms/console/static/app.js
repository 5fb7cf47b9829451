// The page: what happens when.

import * as api from "./api.js";
import { Conversation } from "./conversation.js";
import { DocumentPanel } from "./document.js";
import { $, announce, el, icon } from "./dom.js";
import { Sources } from "./sources.js";
import { TurnView } from "./turn.js";

const panel = new DocumentPanel();
const sources = new Sources();
let conversation = null;
let running = null;

async function start() {
  draw();
  const me = await api.me();
  document.title = me.title;
  $("title").textContent = me.title;
  $("logout").hidden = !me.signed_in;
  people(me);
  suggest(me.suggestions);
  await sources.load();
  await resume(Conversation.restore(me.people.length ? $("person").value : me.person));
}

function draw() {
  $("send").append(icon("send"));
  $("stop").append(icon("stop"));
  theme(isDark());
  $("theme").addEventListener("click", () => theme(!isDark(), true));
  $("new").addEventListener("click", () => renew());
  $("composer").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  $("question").addEventListener("input", grow);
  $("question").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  $("stop").addEventListener("click", stop);
  document.addEventListener("keydown", shortcut);
  grow();
}

// --- appearance ---

const isDark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function theme(dark, chosen = false) {
  if (chosen) {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    try { localStorage.setItem("citebot.theme", dark ? "dark" : "light"); } catch { /* only for this page then */ }
  }
  $("theme").setAttribute("aria-pressed", String(dark));
  $("theme").replaceChildren(icon(dark ? "sun" : "moon"));
}

function grow() {
  const field = $("question");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 220)}px`;
  $("send").disabled = !field.value.trim();
}

function shortcut(event) {
  if (event.key === "Escape" && panel.isOpen) panel.close();
  else if (event.key === "Escape" && running) stop();
  else if (event.key === "/" && !event.target.closest("input, textarea, select")) {
    event.preventDefault();
    $("question").focus();
  }
}

function people(me) {
  if (!me.people.length) return;
  $("person").append(...me.people.map((one) => el("option", { value: one.id, selected: one.id === me.person }, one.name)));
  let kept = null;
  try { kept = sessionStorage.getItem("citebot.person"); } catch { /* start with the default */ }
  if (me.people.some((one) => one.id === kept)) $("person").value = kept;
  $("person-field").hidden = false;
  api.askAs($("person").value);
  $("person").addEventListener("change", async () => {
    api.askAs($("person").value);
    try { sessionStorage.setItem("citebot.person", $("person").value); } catch { /* only until a reload */ }
    renew();
    await sources.load();
    announce(`Asking as ${$("person").selectedOptions[0].textContent}. A new conversation has begun.`);
    $("person").focus();
  });
}

function suggest(suggestions) {
  $("suggestions").hidden = !suggestions.length;
  $("suggestions").append(...suggestions.map((text) => el("li", {},
    el("button", { type: "button", class: "suggestion", onclick: () => ask(text) }, text))));
}

// --- asking ---

function submit() {
  const text = $("question").value.trim();
  if (!text || running) return;
  $("question").value = "";
  grow();
  ask(text);
}

function ask(text) {
  if (running) return;
  $("sources").open = false;
  const turn = conversation.add(text);
  const view = show(turn);
  $("question").focus();
  run(turn, view, () => api.ask(conversation.request(turn, sources.chosen)));
  view.node.scrollIntoView({ block: "start" });
}

function show(turn) {
  const view = new TurnView(turn.text, {
    open: (citation, button) => panel.open(citation, button),
    retry: () => {
      if (running) return;
      conversation.again(turn);
      view.reset();
      view.heading.focus();
      run(turn, view, () => api.ask(conversation.request(turn, sources.chosen)));
    },
  });
  $("turns").append(view.node);
  $("welcome").hidden = true;
  $("new").hidden = false;
  return view;
}

async function run(turn, view, begin) {
  const mine = { turn };
  running = mine;
  busy(true);
  view.step("queued", "Sending your question");
  try {
    await begin();
    const events = api.follow(conversation.request(turn, sources.chosen));
    for (let next = await events.next(); !next.done; next = await events.next()) {
      if (running !== mine) return void events.return(); // A new conversation has begun; the answer is kept, but nobody waits for it here.
      take(next.value, turn, view);
      if (next.value.name === "for_now") return void late(events, turn, view);
    }
  } catch (error) {
    if (running === mine) view.fail(error instanceof api.Refused ? error.message : "The server cannot be reached. Check that it runs, then try again.");
  } finally {
    if (running === mine) {
      running = null;
      busy(false);
      sources.load();
    }
  }
}

/** What takes the place of an answer for now, if it comes; meanwhile one can go on asking. */
async function late(events, turn, view) {
  const [id, here] = [turn.id, conversation];
  try {
    for await (const event of events) {
      if (turn.id !== id || conversation !== here) return;
      if (event.name === "done" || event.name === "failed") take(event, turn, view);
    }
  } catch { /* what stands there stays */ }
}

function take(event, turn, view) {
  if (event.name === "status") view.step(event.data.stage, event.data.note);
  else if (event.name === "reset") view.reset();
  else if (event.name === "text") view.add(event.data.text, event.data.citations);
  else if (event.name === "failed") view.fail(event.data.notice);
  else if (event.name === "waiting") view.step("queued", "The connection was lost. Trying again");
  else if (event.name === "done" || event.name === "for_now") {
    conversation.answered(turn, event.data.answer);
    view.finish(event.data.answer);
  }
}

function busy(yes) {
  const held = document.activeElement;
  $("stop").hidden = !yes;
  $("stop").disabled = false;
  $("send").hidden = yes;
  if (held === $("stop") || held === $("send")) $("question").focus();
}

async function stop() {
  if (!running) return;
  $("stop").disabled = true;
  announce("Stopping.");
  await api.stop(running.turn.id).catch(() => {});
}

function renew() {
  running = null;
  busy(false);
  panel.close();
  conversation = new Conversation(conversation?.person && $("person-field").hidden ? conversation.person : $("person").value);
  conversation.save();
  $("turns").replaceChildren();
  $("welcome").hidden = false;
  $("new").hidden = true;
  $("question").focus();
}

/** Show the conversation of before the reload: finished answers as they may be seen now, unfinished ones as they come. */
async function resume(kept) {
  conversation = kept;
  for (const turn of conversation.turns) {
    const view = show(turn);
    if (!turn.answer) { await run(turn, view, async () => {}); continue; }
    try {
      const answer = await api.answer(turn.answer);
      turn.said = answer.text;
      view.finish(answer, { quiet: true });
      if (answer.waiting) late(api.follow(conversation.request(turn, sources.chosen)), turn, view);
    } catch (error) {
      view.fail(error.message);
    }
  }
  document.documentElement.dataset.ready = "true";
  if (!matchMedia("(pointer: coarse)").matches) $("question").focus();
}

start().catch((error) => {
  $("welcome").append(el("p", { class: "failure", role: "alert" }, icon("info"), el("span", {}, error.message)));
});
