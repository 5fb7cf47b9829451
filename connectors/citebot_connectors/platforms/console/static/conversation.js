// What was asked in this tab. Only questions and ids are kept for a reload; answers are fetched again, and checked again.

import * as api from "./api.js";

const KEY = "citebot.conversation";
const TURNS = 8;
const LENGTH = 4000;

export class Conversation {
  constructor(person) {
    this.person = person;
    this.id = api.newKey();
    this.turns = [];
  }

  /** The conversation of this tab before it was reloaded, if it was this person's. */
  static restore(person) {
    const fresh = new Conversation(person);
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEY));
      if (kept?.person === person && Array.isArray(kept.turns)) Object.assign(fresh, { id: kept.id, turns: kept.turns });
    } catch { /* nothing kept, or storage is blocked */ }
    return fresh;
  }

  add(text) {
    const turn = { id: api.newKey(), text, answer: "", said: "" };
    this.turns.push(turn);
    this.save();
    return turn;
  }

  /** The request for a turn, with what was said before it. */
  request(turn, sources) {
    const before = this.turns.slice(0, this.turns.indexOf(turn)).filter((other) => other.said).slice(-TURNS);
    const history = before.flatMap((other) => [
      { role: "user", text: other.text.slice(0, LENGTH) }, { role: "assistant", text: other.said.slice(0, LENGTH) }]);
    return { id: turn.id, conversation: this.id, text: turn.text, history, sources };
  }

  answered(turn, answer) {
    turn.answer = answer.id;
    turn.said = answer.text;
    this.save();
  }

  /** The same question once more, as a new one. */
  again(turn) {
    Object.assign(turn, { id: api.newKey(), answer: "", said: "" });
    this.save();
  }

  save() {
    const turns = this.turns.map(({ id, text, answer }) => ({ id, text, answer, said: "" }));
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ person: this.person, id: this.id, turns: turns.slice(-50) }));
    } catch { /* a reload will start empty */ }
  }
}
