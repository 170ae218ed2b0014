import { type Decision, Decision_Outcome, Lane } from "../events/turn_pb";
import { presentable, viewerName } from "../room/decisions";

/** Waiting messages remembered at most; the oldest give way. */
const WAITING_MAX = 200;

/** Who is next: the messages that wait for an answer, in the order in which they stand now. */
export class Waiting {
  readonly #waiting = new Map<string, Decision>();

  /** A choice. What was chosen, merged or dropped waits no longer. */
  decided(decision: Decision): void {
    this.#waiting.delete(decision.eventId);
    if (decision.outcome !== Decision_Outcome.WAITING || !decision.event || !presentable(decision)) return;
    this.#waiting.set(decision.eventId, decision);
    const oldest = this.#waiting.keys().next().value;
    if (this.#waiting.size > WAITING_MAX && oldest !== undefined) this.#waiting.delete(oldest);
  }

  /** Viewers by name, each once: who paid in the order of paying, then the others by score. */
  get viewers(): string[] {
    const paid = ({ lane }: Decision) => Number(lane === Lane.PAID);
    const order = (a: Decision, b: Decision) => paid(b) - paid(a) || (paid(a) ? 0 : b.score - a.score);
    const names = new Map<string, string>();
    for (const { event } of [...this.#waiting.values()].sort(order)) {
      const id = event?.viewer?.id || viewerName(event);
      if (!names.has(id)) names.set(id, viewerName(event));
    }
    return [...names.values()];
  }

  /** Nothing is known any more: the connection was lost. */
  clear(): void {
    this.#waiting.clear();
  }
}
