// What is searched, and how fresh it is.

import * as api from "./api.js";
import { $, el } from "./dom.js";
import { ago, count, documents } from "./words.js";

export class Sources {
  #known = [];
  #left = new Set();

  constructor() {
    this.place = $("sources");
    setInterval(() => this.#line(), 30_000);
  }

  /** Names to search in; empty means all. */
  get chosen() {
    return this.#left.size ? this.#known.map((s) => s.name).filter((name) => !this.#left.has(name)) : [];
  }

  async load() {
    try {
      this.#known = (await api.sources()).sources;
    } catch {
      return; // The line is a service; asking works without it.
    }
    const names = new Set(this.#known.map((source) => source.name));
    this.#left = new Set([...this.#left].filter((name) => names.has(name)));
    this.place.hidden = false;
    $("sources-list").replaceChildren(...this.#known.map((source) => this.#item(source)));
    this.#line();
  }

  #line() {
    const used = this.#known.filter((source) => !this.#left.has(source.name));
    const dot = el("span", { class: used.some(troubled) || !used.length ? "dot trouble" : "dot", "aria-hidden": "true" });
    const words = this.#words(used).split(" · ").map((part) => part.replaceAll(" ", "\u00a0")).join(" · ");
    $("sources-line").replaceChildren(dot, words);
  }

  #words(used) {
    if (!this.#known.length) return "No sources yet: add one with “citebot source add”";
    if (used.length === 1) return `Searches ${used[0].name} · ${documents(used[0].documents)} · ${ago(used[0].synced)}`;
    const total = used.reduce((sum, source) => sum + source.documents, 0);
    const oldest = used.reduce((old, source) => (!source.synced || (old && source.synced < old) ? source.synced : old), used[0].synced);
    const some = this.#left.size ? `${used.length} of ${this.#known.length} sources` : count(used.length, "source", "sources");
    return `Searches ${some} · ${documents(total)} · ${ago(oldest)}`;
  }

  #item(source) {
    const box = el("input", { type: "checkbox", checked: !this.#left.has(source.name) });
    box.addEventListener("change", () => {
      if (box.checked) this.#left.delete(source.name);
      else if (this.#left.size + 1 < this.#known.length) this.#left.add(source.name);
      else box.checked = true; // Searching nowhere finds nothing.
      this.#line();
    });
    return el("li", {}, el("label", {}, box, el("span", { class: "name" }, source.name),
      el("span", { class: "facts" }, [documents(source.documents), ago(source.synced), trouble(source)].filter(Boolean).join(" · "))));
  }
}

const troubled = (source) => Boolean(source.failure || source.paused);

function trouble(source) {
  if (source.paused) return "paused";
  if (source.failure) return `last read failed: ${source.failure}`;
  return [source.waiting ? `${source.waiting} waiting` : "", source.parked ? `${source.parked} could not be read` : ""].filter(Boolean).join(", ");
}
