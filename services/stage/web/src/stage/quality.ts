/** Rungs of beauty, best first. */
export type Quality = "full" | "light" | "lite";

/** Slower than this, a rung is too much for the machine. Milliseconds from picture to picture. */
const TOO_SLOW_MS = 30;
/** So slow that only the last rung will do. */
const HOPELESS_MS = 120;
/** First pictures of a rung are not counted: they compile and upload. */
const WARM_UP = 2;
const PICTURES = 40;
/** Hopelessness shows sooner. */
const PICTURES_HOPELESS = 3;

/** Names of what draws where there is no graphics card: of Chromium, of Mesa, of Windows and of macOS. */
const IN_SOFTWARE = /swiftshader|llvmpipe|softpipe|basic render|software/i;

/**
 * The best rung worth trying. Where the processor draws, the others take many seconds to find hopeless.
 * @param renderer WebGL's name of what draws
 */
export function firstRung(renderer: string): Quality {
  return IN_SOFTWARE.test(renderer) ? "lite" : "full";
}

/**
 * Chooses how much the machine can draw by measuring it, and only ever steps down: going back and forth would show.
 */
export class QualityLadder {
  #rung: Quality;
  #times: number[] = [];

  constructor(first: Quality = "full") {
    this.#rung = first;
  }

  get rung(): Quality {
    return this.#rung;
  }

  /** A picture came `ms` after the one before it. Returns true when the rung has changed. */
  measure(ms: number): boolean {
    if (this.#rung === "lite") return false;
    this.#times.push(ms);
    const counted = this.#times.slice(WARM_UP);
    if (counted.length >= PICTURES_HOPELESS && median(counted) > HOPELESS_MS) return this.#become("lite");
    if (counted.length < PICTURES) return false;
    const slow = median(counted) > TOO_SLOW_MS;
    this.#times.splice(WARM_UP);
    return slow && this.#become(this.#rung === "full" ? "light" : "lite");
  }

  /** Something expensive has happened, such as a change of body: measures anew. */
  restart(): void {
    this.#times = [];
  }

  #become(rung: Quality): true {
    this.#rung = rung;
    this.#times = [];
    return true;
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
