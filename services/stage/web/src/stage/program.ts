import type { Caption, Performing } from "../events/stage_pb";
import { Emotion, Gesture } from "../events/text_pb";
import type { Turn } from "../events/turn_pb";

/** Captions kept at most; the oldest give way. */
const CAPTIONS_MAX = 64;
/** How long a caption stays after its last word when nothing follows. Seconds. */
const LINGER_S = 1.6;

/** How a piece of the performance is acted. */
export interface Acting {
  readonly emotion: Emotion;
  /** How strongly the emotion shows, 0 to 1. */
  readonly intensity: number;
  readonly gesture: Gesture;
}

/** How she is when she says nothing. */
export const PLAIN: Acting = { emotion: Emotion.UNSPECIFIED, intensity: 0, gesture: Gesture.UNSPECIFIED };

/** What is to be read at one moment, and how she says it. */
export interface Words extends Acting {
  readonly text: string;
  /** How much of it has been spoken, 0 to 1. */
  readonly spoken: number;
}

interface Spoken extends Acting {
  readonly epoch: number;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** The words of the performance by media sample: captions, and the turn that is performed. */
export class Program {
  readonly #rate: number;
  #captions: Spoken[] = [];
  #performing: { turn: Turn | undefined; start: number }[] = [];

  /** @param rate media samples a second */
  constructor(rate: number) {
    this.#rate = rate;
  }

  caption({ epoch, text, startSample, endSample, emotion, intensity, gesture }: Caption): void {
    const [start, end] = [Number(startSample), Number(endSample)];
    this.#captions = this.#captions.filter((known) => known.start !== start);
    this.#captions.push({ epoch: Number(epoch), text, start, end, emotion, intensity, gesture });
    this.#captions.sort((a, b) => a.start - b.start);
    this.#captions.splice(0, this.#captions.length - CAPTIONS_MAX);
  }

  performing({ turn, startSample, speaking }: Performing): void {
    this.#performing.push({ turn: speaking ? turn : undefined, start: Number(startSample) });
    this.#performing.splice(0, this.#performing.length - CAPTIONS_MAX);
  }

  /** Captions of epochs below `epoch` end at media sample `sample`; later ones are forgotten. */
  stop(epoch: number, sample: number): void {
    this.#captions = this.#captions
      .filter((caption) => caption.epoch >= epoch || caption.start < sample)
      .map((caption) => (caption.epoch >= epoch ? caption : { ...caption, end: Math.min(caption.end, sample) }));
  }

  /** What is to be read at media sample `sample`. */
  words(sample: number): Words | undefined {
    const caption = this.#captions.findLast(({ start }) => start <= sample);
    if (!caption || sample > caption.end + LINGER_S * this.#rate) return undefined;
    const { text, emotion, intensity, gesture } = caption;
    const length = Math.max(1, caption.end - caption.start);
    return { text, spoken: Math.min(1, (sample - caption.start) / length), emotion, intensity, gesture };
  }

  /** The turn that is performed at media sample `sample`. */
  turn(sample: number): Turn | undefined {
    return this.#performing.findLast(({ start }) => start <= sample)?.turn;
  }

  reset(): void {
    this.#captions = [];
    this.#performing = [];
  }
}
