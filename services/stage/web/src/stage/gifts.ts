import type { AudienceEvent } from "../events/audience_pb";
import { deed, viewerName } from "../room/decisions";
import { el, icon } from "../room/dom";
import { BIG_FEN } from "./director";

export type Size = "small" | "medium" | "big";

/** From here on a gift is more than small. Fen. */
const MEDIUM_FEN = 1000;
/** Hearts and sparks of one gift. */
const PIECES: Readonly<Record<Size, number>> = { small: 4, medium: 14, big: 40 };
/** Hearts and sparks in the picture at once, at most; what would be more is left out. */
export const PIECES_MAX = 64;
/** Banners at once; the oldest give way. */
const BANNERS_MAX = 2;
const BANNER_MS = 6000;
/** One piece is seen so long, and the pieces of a gift begin within so long of each other. Milliseconds. */
const PIECE_MS = 3200;
const SPREAD_MS = 1400;
/** Events remembered so that none is celebrated twice. */
const SEEN_MAX = 500;

/** How large the effect of a gift is; undefined for what is no gift. */
export function sizeOf({ kind }: AudienceEvent): Size | undefined {
  if (kind.case !== "gift" && kind.case !== "superChat") return undefined;
  const fen = Number(kind.value.valueFen);
  if (fen >= BIG_FEN) return "big";
  return fen >= MEDIUM_FEN ? "medium" : "small";
}

/** What gifts do in the picture: a few hearts and sparks rise, or for a big one a shower falls and the giver is named. */
export class Gifts {
  readonly #air: HTMLElement;
  readonly #banners: HTMLElement;
  readonly #calm: () => boolean;
  readonly #random: () => number;
  readonly #seen = new Set<string>();
  #pieces = 0;

  /**
   * @param air where hearts and sparks fly, @param banners where givers are named
   * @param calm whether the viewer wants nothing to move: then only the names are shown
   * @param random 0 to 1
   */
  constructor(air: HTMLElement, banners: HTMLElement, calm: () => boolean, random: () => number) {
    this.#air = air;
    this.#banners = banners;
    this.#calm = calm;
    this.#random = random;
  }

  /** A viewer did something. @param old it happened before this page was there: nothing is shown */
  take(event: AudienceEvent, old: boolean): void {
    const size = sizeOf(event);
    if (!size || this.#seen.has(event.eventId)) return;
    this.#remember(event.eventId);
    if (old) return;
    if (size === "big") this.#name(event);
    if (!this.#calm()) this.#scatter(size);
  }

  #scatter(size: Size): void {
    const count = Math.min(PIECES[size], PIECES_MAX - this.#pieces);
    for (let i = 0; i < count; i++) this.#piece(size);
  }

  #piece(size: Size): void {
    const heart = size === "small" || this.#random() < 0.4;
    const made = el("span", `piece ${size}`, icon(heart ? "heart" : "spark"));
    const delay = this.#random() * SPREAD_MS;
    const look = {
      "--x": `${(4 + 92 * this.#random()).toFixed(1)}%`,
      "--drift": `${((this.#random() - 0.5) * 16).toFixed(1)}vmin`,
      "--turn": `${((this.#random() - 0.5) * 120).toFixed(0)}deg`,
      "--scale": (0.6 + 0.8 * this.#random()).toFixed(2),
      "--delay": `${delay.toFixed(0)}ms`,
      "--time": `${PIECE_MS}ms`,
    };
    for (const [name, value] of Object.entries(look)) made.style.setProperty(name, value);
    this.#air.append(made);
    this.#pieces += 1;
    setTimeout(() => {
      made.remove();
      this.#pieces -= 1;
    }, delay + PIECE_MS);
  }

  #name(event: AudienceEvent): void {
    const made = el("p", "banner", icon("starship"), el("b", "", viewerName(event)), el("span", "", deed(event)));
    this.#banners.append(made);
    if (this.#banners.children.length > BANNERS_MAX) this.#banners.firstElementChild?.remove();
    setTimeout(() => made.remove(), BANNER_MS);
  }

  #remember(eventId: string): void {
    this.#seen.add(eventId);
    const [oldest] = this.#seen;
    if (this.#seen.size > SEEN_MAX && oldest !== undefined) this.#seen.delete(oldest);
  }
}
