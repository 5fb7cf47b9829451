// The Markdown of answers: paragraphs, lists, fenced code, tables, quotes, headings, **bold**, `code` and [n].
// Everything else stays as it was written. Nothing is ever parsed as HTML.

import { copy, el } from "./dom.js";

const ITEM = /^(\s*)([-*•]|\d{1,3}[.)])\s+(.*)$/;
const FENCE = /^\s*(`{3,}|~{3,})\s*([\w+#.-]*)/;
const RULE = /^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$/;

/** Split text into blocks; each has its `source`, so that an unchanged one need not be drawn again. */
export function blocks(text) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const found = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) { at += 1; continue; }
    const kind = starts(lines, at);
    const end = KINDS[kind].end(lines, at);
    found.push({ kind, lines: lines.slice(at, end), source: `${kind}\n${lines.slice(at, end).join("\n")}` });
    at = end;
  }
  return found;
}

function starts(lines, at) {
  const line = lines[at];
  if (FENCE.test(line)) return "code";
  if (line.includes("|") && RULE.test(lines[at + 1] ?? "") && (lines[at + 1] ?? "").includes("|")) return "table";
  if (ITEM.test(line)) return "list";
  if (/^#{1,6}\s/.test(line)) return "heading";
  if (/^>\s?/.test(line)) return "quote";
  return "paragraph";
}

const until = (lines, at, over) => {
  let end = at + 1;
  while (end < lines.length && !over(lines[end], end)) end += 1;
  return end;
};

const KINDS = {
  code: {
    end(lines, at) {
      const mark = FENCE.exec(lines[at])[1];
      const close = until(lines, at, (line) => line.trim().startsWith(mark) && !line.trim().slice(mark.length).trim());
      return Math.min(close + 1, lines.length);
    },
    draw: ({ lines }) => {
      const language = FENCE.exec(lines[0])[2];
      const closed = lines.length > 1 && FENCE.test(lines.at(-1));
      return codeBox(lines.slice(1, closed ? -1 : undefined).join("\n"), language);
    },
  },
  table: {
    end: (lines, at) => until(lines, at, (line) => !line.includes("|")),
    draw: ({ lines }, cites) => tableBox(lines.filter((line, row) => row !== 1).map(cells), cites),
  },
  list: {
    end: (lines, at) => until(lines, at, (line, end) => !line.trim() && !ITEM.test(lines[end + 1] ?? "")
      || FENCE.test(line) || (line.trim() && !ITEM.test(line) && !/^\s{2,}/.test(line))),
    draw: ({ lines }, cites) => drawList(items(lines), cites),
  },
  heading: {
    end: (lines, at) => at + 1,
    draw: ({ lines }, cites) => el("h3", {}, ...inline(lines[0].replace(/^#+\s*/, ""), cites)),
  },
  quote: {
    end: (lines, at) => until(lines, at, (line) => !line.startsWith(">")),
    draw: ({ lines }, cites) => el("blockquote", {}, ...inline(lines.map((l) => l.replace(/^>\s?/, "")).join("\n"), cites)),
  },
  paragraph: {
    end: (lines, at) => until(lines, at, (line, end) => !line.trim() || starts(lines, end) !== "paragraph"),
    draw: ({ lines }, cites) => el("p", {}, ...inline(lines.join("\n"), cites)),
  },
};

export function draw(block, cites = () => null) {
  return KINDS[block.kind].draw(block, cites);
}

/** Draw text into `parent`, leaving alone what has not changed since the last time. */
export function drawInto(parent, text, cites) {
  const wanted = blocks(text);
  wanted.forEach((block, at) => {
    const present = parent.children[at];
    if (present && present.source === block.source) return;
    const node = draw(block, cites);
    node.source = block.source;
    if (present) present.replaceWith(node);
    else parent.append(node);
  });
  while (parent.children.length > wanted.length) parent.lastElementChild.remove();
}

/** Words with **bold**, `code` and [n]; `cites(n)` gives the node for a citation, or null to leave it as text. */
export function inline(text, cites = () => null) {
  const nodes = [];
  const pattern = /(`+)(.+?)\1|\*\*(?=\S)(.+?)\*\*|\[(\d{1,3})\]/gs;
  let last = 0;
  for (const match of text.matchAll(pattern)) {
    const [whole, , code, bold, number] = match;
    const cite = number === undefined ? null : cites(Number(number));
    if (number !== undefined && !cite) continue;
    if (match.index > last) nodes.push(text.slice(last, match.index));
    if (code !== undefined) nodes.push(el("code", {}, code.trim()));
    else if (bold !== undefined) nodes.push(el("strong", {}, ...inline(bold, cites)));
    else nodes.push(...tied(nodes.pop(), cite));
    last = match.index + whole.length;
  }
  if (last < text.length) nodes.push(text.slice(last));
  return nodes;
}

/** A number never stands alone at the beginning of a line: it is tied to the word before it. */
function tied(before, cite) {
  if (typeof before !== "string") {
    const node = before?.classList?.contains("tied") ? before : null;
    node?.append("\u202f", cite);
    return node ? [node] : [before, cite].filter(Boolean);
  }
  const [, start, word] = /^(.*?)(\S{1,24}\s?)?$/s.exec(before);
  return [start, el("span", { class: "tied" }, (word ?? "").replace(/\s$/, "\u202f"), cite)].filter((part) => part !== "");
}

const cells = (line) => line.trim().replace(/^\|/, "").replace(/\|$/, "").split("|").map((cell) => cell.trim());

function items(lines) {
  const found = [];
  for (const line of lines) {
    const match = ITEM.exec(line);
    if (match) found.push({ depth: Math.min(Math.floor(match[1].length / 2), 4), ordered: /\d/.test(match[2]), text: match[3], first: parseInt(match[2], 10) });
    else if (line.trim() && found.length) found.at(-1).text += `\n${line.trim()}`;
  }
  return found;
}

function drawList(entries, cites) {
  const root = el(entries[0].ordered ? "ol" : "ul", entries[0].first > 1 ? { start: entries[0].first } : {});
  const open = [{ depth: entries[0].depth, list: root }];
  for (const entry of entries) {
    while (open.length > 1 && entry.depth < open.at(-1).depth) open.pop();
    if (entry.depth > open.at(-1).depth && open.at(-1).list.lastElementChild) {
      const list = el(entry.ordered ? "ol" : "ul");
      open.at(-1).list.lastElementChild.append(list);
      open.push({ depth: entry.depth, list });
    }
    open.at(-1).list.append(el("li", {}, ...inline(entry.text, cites)));
  }
  return root;
}

export function tableBox(rows, cites = () => null) {
  const [head, ...rest] = rows;
  const row = (values, tag) => el("tr", {}, ...values.map((cell) => el(tag, tag === "th" ? { scope: "col" } : {}, ...inline(cell, cites))));
  const table = el("table", {}, el("thead", {}, row(head, "th")), el("tbody", {}, ...rest.map((values) => row(values, "td"))));
  return el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Table" }, table);
}

export function codeBox(code, language = "") {
  const box = el("div", { class: "code" });
  if (navigator.clipboard) {
    const button = el("button", { type: "button", class: "copy" }, "Copy");
    button.addEventListener("click", () => copy(code, button, "Copied"));
    box.append(button);
  }
  box.append(el("pre", { tabindex: "0", role: "region", "aria-label": language ? `Code, ${language}` : "Code" }, el("code", {}, code)));
  return box;
}

/** The text as it is read aloud. */
export const plain = (text) => text.replace(/\s*\[\d{1,3}\]/g, "").replace(/[*`|#]+/g, " ").replace(/-{3,}/g, " ").trim();
