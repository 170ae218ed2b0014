import { type Decision, Decision_Outcome, Lane } from "../events/turn_pb";

/** Entries kept of what has been decided; the oldest give way. */
const RECENT_MAX = 60;
/** Entries kept of what waits; the lowest scores give way. */
const WAITING_MAX = 200;

/** What waits and what has been decided, kept up to date from decisions as they come. */
export class Board {
  #waiting = new Map<string, Decision>();
  #recent: Decision[] = [];

  /** Lane by lane, best first within a lane. */
  get waiting(): Decision[] {
    return [...this.#waiting.values()].sort((a, b) => order(a) - order(b) || b.score - a.score).slice(0, WAITING_MAX);
  }

  /** Newest first. */
  get recent(): readonly Decision[] {
    return this.#recent;
  }

  /** Takes the server's own lists, newest decision first. */
  replace(waiting: readonly Decision[], recent: readonly Decision[]): void {
    this.#waiting = new Map(waiting.map((decision) => [decision.eventId, decision]));
    this.#recent = recent.slice(0, RECENT_MAX);
  }

  /** Takes one decision. The last one of an event is final, and a decision that comes twice counts once. */
  take(decision: Decision): void {
    if (decision.outcome === Decision_Outcome.WAITING) {
      this.#waiting.set(decision.eventId, decision);
      return;
    }
    this.#waiting.delete(decision.eventId);
    const others = this.#recent.filter((known) => known.decisionId !== decision.decisionId);
    this.#recent = [decision, ...others].slice(0, RECENT_MAX);
  }
}

function order(decision: Decision): number {
  return decision.lane === Lane.UNSPECIFIED ? Lane.AMBIENT : decision.lane;
}
