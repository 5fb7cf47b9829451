// Building the page node by node: text stays text, whatever it contains.

export const $ = (id) => document.getElementById(id);

/** An element: properties that start with "on" are listeners, `class` and `aria-…` are attributes. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

const PATHS = {
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  down: "M7 14V4h10l2.5 7.5A2 2 0 0 1 17.6 14H14l.6 4.200a1.6 1.6 0 0 1-3 .9L9 14zM7 4H4v10h3",
  external: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  info: "M12 11v6M12 7.500v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  moon: "M20 14.500A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.500z",
  page: "M7 3h7l5 5v13H7zM14 3v5h5M10 13h6M10 17h6",
  retry: "M19 12a7 7 0 1 1-2-5M19 3v4.500h-4.5",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M8 8h8v8H8z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v1.500M12 19.500V21M3 12h1.500M19.5 12H21M5.6 5.600l1 1M17.4 17.400l1 1M5.6 18.400l1-1M17.4 6.600l1-1",
  up: "M7 10v10h10l2.5-7.500A2 2 0 0 0 17.6 10H14l.6-4.200a1.6 1.6 0 0 0-3-.9L9 10zM7 10H4v10h3",
};

/** A line drawing for buttons; the words next to it or the label of the button name it. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true", class: "drawing" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** An address a person may be sent to, or null. The server has checked it too. */
export function safeLink(address) {
  if (!address) return null;
  try {
    const url = new URL(address);
    return ["http:", "https:", "file:"].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

/** Put text on the clipboard and say so on the button for a moment. */
export async function copy(text, button, done) {
  await navigator.clipboard.writeText(text);
  const before = button.textContent;
  const label = button.querySelector("span") ?? button;
  label.textContent = done;
  setTimeout(() => { label.textContent = before; }, 1500);
}

/** Say something to people who cannot see it. */
export function announce(text) {
  const live = $("live");
  live.append(el("p", {}, text));
  while (live.childElementCount > 30) live.firstChild.remove();
}
