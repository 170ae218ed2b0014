import { Emotion, Gesture } from "../events/text_pb";
import type { Turn } from "../events/turn_pb";
import { type Acting, PLAIN } from "./program";

/** How much of her is in the picture. */
export type Shot = "close" | "medium" | "wide";

/** Height of the picture below the top of her head; 1 is down to the waist. */
export const SPANS: Readonly<Record<Shot, number>> = { close: 0.84, medium: 1, wide: 1.35 };

/** A move of the camera takes so long: slow enough not to hurry over a word. Seconds. */
export const MOVE_S = 1.8;
/** From the beginning of one move to the next one's, at least; a big gesture waits only for the move to end. Seconds. */
export const HOLD_S = 4.5;

/** Gestures that go beyond the picture, or whose hands are quick: the whole arms want to be seen. */
const BIG: ReadonlySet<Gesture> = new Set([Gesture.WAVE, Gesture.CLAP, Gesture.DANCE]);
/** How tender each emotion is at full strength; the others are not. */
const TENDERNESS: Readonly<Partial<Record<Emotion, number>>> = {
  [Emotion.SAD]: 1,
  [Emotion.SHY]: 0.7,
  [Emotion.GRATEFUL]: 0.5,
};
/** She is filmed from close by from this tenderness on, and until it falls below. */
const TENDER = 0.35;
const TENDER_STILL = 0.2;
/** Gifts worth so much get the wide picture. Fen. */
export const BIG_FEN = 10_000;
/** A message of so few words (Hanzi are counted one by one) is answered from close by. */
const FEW_WORDS = 4;

/** What she is doing, as far as the camera and her hands care. */
export interface Cue {
  /** She answers one viewer who wrote only a word or two. */
  readonly intimate: boolean;
  /** What she thanks for, in fen. */
  readonly thanked: number;
  readonly gesture: Gesture;
  /** Her gesture wants room. */
  readonly big: boolean;
  /** How much sorrow, shyness or thanks is in what she says, 0 to 1. */
  readonly tender: number;
}

/** The cue that a turn gives, and how its present words are acted. */
export function cueOf(turn: Turn | undefined, { emotion, intensity, gesture }: Acting = PLAIN): Cue {
  const events = turn?.cause.case === "audience" ? turn.cause.value.events : [];
  const [first] = events;
  return {
    intimate: events.length === 1 && first?.kind.case === "chat" && few(first.kind.value.text),
    thanked: events.reduce((sum, { kind }) => sum + (kind.case === "gift" ? Number(kind.value.valueFen) : 0), 0),
    gesture,
    big: BIG.has(gesture),
    tender: (TENDERNESS[emotion] ?? 0) * Math.min(1, Math.max(0, intensity)),
  };
}

/**
 * Chooses how close the camera is: close for intimate moments, medium as the rule, wide for big gestures, dances and big
 * gifts. It never cuts; every move is eased. It has no clock of its own, so the same show is filmed the same way.
 */
export class Director {
  #shot: Shot = "medium";
  #from = SPANS.medium;
  #since = Number.NEGATIVE_INFINITY;

  get shot(): Shot {
    return this.#shot;
  }

  /**
   * The span of the picture at this moment.
   * @param time seconds of a steady clock
   * @param calm the viewer wants nothing to move: the camera stands still, at medium
   */
  direct(time: number, cue: Cue, calm: boolean): number {
    if (calm) {
      [this.#shot, this.#from, this.#since] = ["medium", SPANS.medium, Number.NEGATIVE_INFINITY];
      return SPANS.medium;
    }
    const wanted = this.#wanted(cue);
    const held = time - this.#since;
    if (wanted !== this.#shot && held >= (wanted === "wide" ? MOVE_S : HOLD_S)) {
      [this.#shot, this.#from, this.#since] = [wanted, SPANS[this.#shot], time];
    }
    const way = Math.min(1, Math.max(0, (time - this.#since) / MOVE_S));
    return this.#from + (SPANS[this.#shot] - this.#from) * eased(way);
  }

  #wanted({ intimate, thanked, big, tender }: Cue): Shot {
    if (big || thanked >= BIG_FEN) return "wide";
    if (intimate || tender > (this.#shot === "close" ? TENDER_STILL : TENDER)) return "close";
    return "medium";
  }
}

function few(text: string): boolean {
  const words = text.match(/\p{Script=Han}|(?:(?!\p{Script=Han})[\p{L}\p{N}'])+/gu)?.length ?? 0;
  return words > 0 && words <= FEW_WORDS;
}

/** 0 to 1, beginning and ending at rest without a jerk. */
function eased(way: number): number {
  return way ** 3 * (10 + way * (6 * way - 15));
}
