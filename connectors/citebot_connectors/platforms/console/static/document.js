// The side panel: a cited passage inside its document.

import * as api from "./api.js";
import { $, announce, copy, el, icon, safeLink } from "./dom.js";
import { highlight } from "./highlight.js";
import { codeBox, drawInto, tableBox } from "./markdown.js";
import { day } from "./words.js";

const narrow = matchMedia("(max-width: 56rem)");

export class DocumentPanel {
  #opener = null;
  #turn = 0;

  constructor() {
    this.node = $("document");
    this.body = $("document-body");
    $("document-close").append(icon("close"));
    $("document-close").addEventListener("click", () => this.close());
    narrow.addEventListener("change", () => this.#cover());
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { event.stopPropagation(); this.close(); }
    });
  }

  get isOpen() { return !this.node.hidden; }

  async open(citation, opener) {
    this.#opener?.removeAttribute("aria-current");
    this.#opener = opener;
    opener.setAttribute("aria-current", "true");
    this.#turn += 1;
    const turn = this.#turn;
    this.#head({ path: [], title: citation.title, updated: citation.updated, source: citation.source, link: "" });
    this.body.replaceChildren(el("p", { class: "loading" }, "Opening the document…"));
    this.node.hidden = false;
    document.body.classList.add("reading");
    this.#cover();
    $("document-title").focus({ preventScroll: true });
    try {
      const shown = await api.documentOf(citation.passage);
      if (turn === this.#turn) this.#show(shown, citation);
    } catch (error) {
      if (turn === this.#turn) this.body.replaceChildren(el("p", { class: "failure", role: "alert" }, icon("info"), el("span", {}, error.message)));
    }
  }

  close() {
    if (!this.isOpen) return;
    this.#turn += 1;
    this.node.hidden = true;
    document.body.classList.remove("reading");
    this.#cover();
    this.#opener?.removeAttribute("aria-current");
    // The button may have been drawn again while we were reading.
    if (this.#opener?.isConnected) this.#opener.focus();
    else $("question").focus();
  }

  #head(shown) {
    $("document-path").textContent = [shown.source, ...shown.path].join(" › ");
    $("document-title").textContent = shown.title;
    const facts = [shown.updated ? el("span", {}, `Updated ${day(shown.updated)}`) : null, this.#link(shown.link)];
    $("document-facts").replaceChildren(...facts.filter(Boolean));
  }

  #link(address) {
    const url = safeLink(address);
    if (!url) return null;
    if (url.protocol !== "file:") {
      return el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, "Open the source", icon("external"));
    }
    // Browsers do not follow file links from a page; the path is what helps.
    const path = decodeURIComponent(url.pathname);
    const button = navigator.clipboard ? el("button", { type: "button", class: "link" }, icon("copy"), el("span", {}, "Copy path")) : null;
    button?.addEventListener("click", () => copy(path, button, "Copied"));
    return el("span", { class: "file" }, el("code", {}, path), button);
  }

  #show(shown, citation) {
    this.#head(shown);
    this.body.replaceChildren();
    let before = [];
    let cited = null;
    for (const passage of shown.passages) {
      if (passage.headings.join("\n") !== before.join("\n")) this.body.append(...headings(passage.headings, before));
      before = passage.headings;
      const node = drawPassage(passage);
      this.body.append(node);
      if (passage.cited) cited = node;
    }
    if (!cited) return;
    const found = highlight(cited, citation.sentences ?? []);
    const target = found ? cited.querySelector("mark") : cited;
    cited.prepend(el("p", { class: "label" }, citation.number ? `Cited as ${citation.number}` : "Closest passage"));
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    target.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
    announce(`${shown.title} is open at the cited passage.`);
  }

  // On a small screen the panel covers everything, so everything else must be out of reach.
  #cover() {
    const covers = this.isOpen && narrow.matches;
    for (const id of ["top", "chat"]) $(id).inert = covers;
    if (covers) { this.node.setAttribute("role", "dialog"); this.node.setAttribute("aria-modal", "true"); }
    else { this.node.removeAttribute("role"); this.node.removeAttribute("aria-modal"); }
  }
}

function headings(path, before) {
  const shared = path.findIndex((heading, depth) => heading !== before[depth]);
  return path.slice(shared < 0 ? path.length : shared).map((heading, at) =>
    el("h3", { class: "heading", "data-depth": String(Math.max(shared, 0) + at) }, heading));
}

function drawPassage(passage) {
  const node = el("section", passage.cited ? { class: "passage cited", "aria-label": "Cited passage" } : { class: "passage" });
  if (passage.kind === "code") node.append(codeBox(passage.text.replace(/^```[^\n]*\n|\n?```\s*$/g, "")));
  else if (passage.kind === "table") {
    const rows = passage.text.split("\n").filter((line) => line.trim() && !/^[\s|:-]+$/.test(line));
    node.append(tableBox(rows.map((line) => line.replace(/^\s*\||\|\s*$/g, "").split("|").map((cell) => cell.trim()))));
  } else {
    const prose = el("div", { class: "prose" });
    drawInto(prose, passage.text);
    node.append(prose);
  }
  return node;
}
