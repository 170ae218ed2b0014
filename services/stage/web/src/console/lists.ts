import { type Decision, Lane } from "../events/turn_pb";
import { deed, detail, termName, tone, verdict, viewerName } from "../room/decisions";
import { button, el } from "../room/dom";
import { say } from "./words";

/** Shows a list of decisions in one element, entry by entry, so that what has the focus keeps it. */
export class DecisionList {
  readonly #list: HTMLElement;
  readonly #render: (decision: Decision) => HTMLLIElement;
  readonly #items = new Map<string, { decision: Decision; item: HTMLLIElement }>();

  constructor(list: HTMLElement, render: (decision: Decision) => HTMLLIElement) {
    this.#list = list;
    this.#render = render;
  }

  show(decisions: readonly Decision[]): void {
    const wanted = new Set(decisions.map((decision) => decision.decisionId));
    for (const [id, { item }] of this.#items) {
      if (wanted.has(id)) continue;
      item.remove();
      this.#items.delete(id);
    }
    let place = this.#list.firstElementChild;
    for (const decision of decisions) {
      let known = this.#items.get(decision.decisionId);
      if (known && deed(known.decision.event) !== deed(decision.event)) {
        // The stream is anybody's, so it lacks refused words; the operator's own call brings them.
        if (known.item === place) place = known.item.nextElementSibling;
        known.item.remove();
        known = undefined;
      }
      const item = known?.item ?? this.#render(decision);
      if (!known) this.#items.set(decision.decisionId, { decision, item });
      if (item === place) place = item.nextElementSibling;
      else this.#list.insertBefore(item, place);
    }
  }
}

/** An event that waits, with its score and why, and what the operator can do with it. */
export function waitingItem(
  decision: Decision,
  approve: (eventId: string) => void,
  skip: (eventId: string) => void,
): HTMLLIElement {
  const { event, eventId, score, lane } = decision;
  const item = el(
    "li",
    "entry",
    el("div", "said", laneTag(lane), el("b", "", viewerName(event)), el("span", "", deed(event))),
    el("div", "why", el("span", "score", `${say("score")} ${score.toFixed(2)}`), ...terms(decision), reason(decision)),
    el(
      "div",
      "acts",
      button("act go", say("answer"), () => approve(eventId), viewerName(event)),
      button("act", say("skip"), () => skip(eventId), viewerName(event)),
    ),
  );
  item.dataset["event"] = eventId;
  return item;
}

/** An event that has been decided, and why. */
export function decidedItem(decision: Decision): HTMLLIElement {
  const { event, score, lane, decidedAtMs } = decision;
  const time = new Date(Number(decidedAtMs)).toLocaleTimeString();
  const item = el(
    "li",
    "entry",
    el("div", "said", laneTag(lane), el("b", "", viewerName(event)), el("span", "", deed(event))),
    el("div", "why", reason(decision), ...(score ? [el("span", "score", score.toFixed(2))] : []), el("time", "", time)),
  );
  item.dataset["tone"] = tone(decision);
  return item;
}

function reason(decision: Decision): HTMLElement {
  return el("span", "reason", [verdict(decision), detail(decision)].filter(Boolean).join(" — "));
}

function terms(decision: Decision): HTMLElement[] {
  return decision.terms.map((term) => {
    const sign = term.value < 0 ? "−" : "+";
    const made = el("span", "term", `${termName(term)} ${sign}${Math.abs(term.value).toFixed(2)}`);
    made.dataset["sign"] = term.value < 0 ? "minus" : "plus";
    return made;
  });
}

function laneTag(lane: Lane): HTMLElement {
  const [name, words] = {
    [Lane.UNSPECIFIED]: ["chat", say("chat")],
    [Lane.PAID]: ["paid", say("paid")],
    [Lane.MODERATION]: ["moderation", say("moderation")],
    [Lane.CHAT]: ["chat", say("chat")],
    [Lane.AMBIENT]: ["ambient", say("ambient")],
  }[lane] ?? ["chat", say("chat")];
  return el("i", `lane ${name}`, words ?? "");
}
