// Talking to the server: JSON requests, and event streams that survive broken connections.

let person = "";

/** Who asks from now on; only demos on this machine may choose. */
export function askAs(id) { person = id; }

export class Refused extends Error {
  constructor(status, line) { super(line); this.status = status; }
}

async function send(method, path, body, extra = {}) {
  const headers = { ...(person ? { "Citebot-Person": encodeURIComponent(person) } : {}), ...extra.headers };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal: extra.signal });
  if (response.status === 401) { location.assign("/login"); throw new Refused(401, "Please sign in again."); }
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Refused(response.status, told.error ?? `The server answered ${response.status}.`);
  }
  return response;
}

const json = async (...request) => (await send(...request)).json();

export const me = () => json("GET", "/api/me");
export const sources = () => json("GET", "/api/sources");
export const answer = (id) => json("GET", `/api/answers/${encodeURIComponent(id)}`);
export const documentOf = (passage) => json("GET", `/api/passages/${passage}/document`);
export const ask = (question) => json("POST", "/api/questions", question);
export const stop = (id) => json("POST", `/api/questions/${id}/stop`, {});
export const feedback = (id, verdict, reason) =>
  json("POST", `/api/answers/${encodeURIComponent(id)}/feedback`, { verdict, reason });

export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

const wait = (seconds) => new Promise((go) => { setTimeout(go, seconds * 1000); });

/**
 * The events of a question until the last one. Broken connections are taken up where they broke; a server that has
 * forgotten the question (it was restarted) is asked again with the same id, which it knows from its database.
 */
export async function* follow(question) {
  let last = 0;
  for (let failures = 0; failures < 40; failures += 1) {
    try {
      const response = await send("GET", `/api/questions/${question.id}/events`, undefined, { headers: { "Last-Event-ID": String(last) } });
      for await (const event of events(response.body)) {
        failures = 0;
        if (event.id) last = event.id;
        yield event;
        if (event.name === "done" || event.name === "failed") return;
      }
    } catch (error) {
      if (error instanceof Refused && error.status === 404) {
        last = 0;
        await ask(question).catch((again) => { if (again instanceof Refused && again.status < 500) throw again; });
      } else if (error instanceof Refused && error.status < 500) throw error;
    }
    yield { name: "waiting", data: { attempt: failures } };
    await wait(Math.min(0.3 * 2 ** failures, 8));
  }
  throw new Refused(0, "The connection is gone. Check it and try again.");
}

async function* events(body) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let buffer = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      buffer += decoder.decode(value, { stream: true });
      const parts = buffer.split("\n\n");
      buffer = parts.pop();
      for (const part of parts) {
        const event = parse(part);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parse(part) {
  const event = { id: 0, name: "", data: null };
  for (const line of part.split("\n")) {
    if (line.startsWith("id: ")) event.id = Number(line.slice(4));
    else if (line.startsWith("event: ")) event.name = line.slice(7);
    else if (line.startsWith("data: ")) event.data = JSON.parse(line.slice(6));
  }
  return event.name ? event : null;
}
