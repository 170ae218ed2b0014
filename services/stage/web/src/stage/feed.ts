import type { AudienceEvent } from "../events/audience_pb";
import type { Decision } from "../events/turn_pb";
import { deed, presentable, tone, verdict, viewerName } from "../room/decisions";
import { el } from "../room/dom";
import { say } from "./words";

/** Entries kept; the oldest give way. */
const ENTRIES_MAX = 60;

interface Entry {
  readonly item: HTMLLIElement;
  readonly what: HTMLSpanElement;
  readonly why: HTMLSpanElement;
}

/** The list of what people did, what she chose, and why: one entry an audience event, newest last. */
export class Feed {
  readonly #list: HTMLElement;
  readonly #entries = new Map<string, Entry>();

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  /** What this page sent itself, until the room says what became of it. */
  sent(eventId: string, name: string, words: string): void {
    if (eventId === "" || this.#entries.has(eventId)) return;
    this.#following(() => {
      const { item, why } = this.#add(eventId, name, words);
      item.dataset["tone"] = "waiting";
      why.textContent = say("sent");
    });
  }

  /** A choice. A later one of the same event replaces the earlier one. */
  decided(decision: Decision): void {
    const { event, eventId } = decision;
    if (!this.#entries.has(eventId) && !event) return;
    const words = presentable(decision) ? deed(event) : say("hidden");
    this.#following(() => {
      const entry = this.#entries.get(eventId) ?? this.#add(eventId, viewerName(event), words);
      if (event || !presentable(decision)) entry.what.textContent = words;
      entry.item.dataset["tone"] = tone(decision);
      entry.why.textContent = verdict(decision);
    });
  }

  /** The events that she is answering now, and no others. */
  answering(events: readonly AudienceEvent[]): void {
    const now = new Set(events.map((event) => event.eventId));
    for (const [id, { item }] of this.#entries) item.toggleAttribute("aria-current", now.has(id));
  }

  #add(eventId: string, name: string, words: string): Entry {
    const what = el("span", "what", words);
    const why = el("span", "why");
    const item = el("li", "entry", el("b", "who", name), what, why);
    const entry = { item, what, why };
    this.#list.append(item);
    this.#entries.set(eventId, entry);
    const oldest = this.#entries.entries().next().value;
    if (this.#entries.size > ENTRIES_MAX && oldest) {
      oldest[1].item.remove();
      this.#entries.delete(oldest[0]);
    }
    return entry;
  }

  /** Makes a change and keeps the newest entry in sight, unless somebody has scrolled back to read. */
  #following(change: () => void): void {
    const list = this.#list;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
    change();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
}
