/** How long the least delayed message of the recent past is believed. Seconds. */
const WINDOW_S = 4;
/** Buffer that every renderer starts with, on top of the lead the server promises. Seconds. */
const BUFFER_S = 0.03;
/** Later than this, sound is cut instead of postponed. Seconds. */
const BUFFER_MAX_S = 0.5;
/** How fast a grown buffer is given back while nothing sounds: seconds of buffer a second. */
const BUFFER_DECAY = 0.005;
/** Between turns the clock glides at most this much faster or slower than real time. */
const GLIDE = 0.05;
/** A difference above this is not glided over but jumped, in pauses and while she speaks. Seconds. */
const JUMP_S = 0.1;
const JUMP_SPEAKING_S = 0.25;

/**
 * Maps the room's media samples to local time.
 *
 * Local time is any steady clock in seconds; the page uses the audio clock. A message sent at media sample `now` that
 * arrives at local time `t` shows a lag of `t - now / rate`; the smallest lag of the last seconds belongs to the least
 * delayed message, and adding a buffer to it gives the lag at which everything can be played in time. While she speaks
 * the lag stands still, so that sound stays gapless; in pauses it glides to where it should be. Only when it is far off,
 * as after the page was held up, it jumps.
 */
export class MediaClock {
  readonly rate: number;
  #lag: number | undefined;
  #buffer = BUFFER_S;
  #advancedAt: number | undefined;
  #drift = 0;
  /** Lags by time of arrival, both rising: the first is the smallest of the window. */
  #window: { at: number; lag: number }[] = [];

  /** @param rate media samples a second */
  constructor(rate: number) {
    this.rate = rate;
  }

  /** True once a message has been seen. */
  get running(): boolean {
    return this.#lag !== undefined;
  }

  /** Seconds by which playing waits for messages that take longer than the quickest. */
  get buffer(): number {
    return this.#buffer;
  }

  /** A message sent at media sample `nowSample` arrived at local time `arrivedAt`. */
  observe(nowSample: number, arrivedAt: number): void {
    const lag = arrivedAt - nowSample / this.rate;
    const kept = this.#window.filter((seen) => seen.at > arrivedAt - WINDOW_S && seen.lag < lag);
    kept.push({ at: arrivedAt, lag });
    this.#window = kept;
    this.#lag ??= this.#target(lag);
  }

  /** Moves towards the best lag. To be called often; `speaking` holds the lag still. Returns true when it jumped. */
  advance(now: number, speaking: boolean): boolean {
    const passed = Math.max(0, now - (this.#advancedAt ?? now));
    this.#advancedAt = now;
    if (this.#lag === undefined) return false;
    const error = this.#target(this.#lag) - this.#lag;
    const jumps = Math.abs(error) > (speaking ? JUMP_SPEAKING_S : JUMP_S);
    if (jumps) {
      this.#lag += error;
    } else if (!speaking) {
      this.#buffer = Math.max(BUFFER_S, this.#buffer - BUFFER_DECAY * passed);
      this.#lag += Math.min(GLIDE * passed, Math.max(-GLIDE * passed, error));
    }
    this.#drift = this.#lag - this.#target(this.#lag);
    return jumps;
  }

  /** Sound came `late` seconds after its time: plays everything later by that much, as far as the buffer may grow.
   *  Returns the seconds by which it does. */
  postpone(late: number): number {
    if (this.#lag === undefined) return 0;
    const delay = Math.min(late, BUFFER_MAX_S - this.#buffer);
    if (delay <= 0) return 0;
    this.#buffer += delay;
    this.#lag += delay;
    return delay;
  }

  /** Local time has been exchanged for another clock that shows `delta` seconds more. */
  rebase(delta: number): void {
    for (const seen of this.#window) {
      seen.at += delta;
      seen.lag += delta;
    }
    if (this.#lag !== undefined) this.#lag += delta;
    if (this.#advancedAt !== undefined) this.#advancedAt += delta;
  }

  /** Forgets everything, as for a new connection. */
  reset(): void {
    this.#lag = undefined;
    this.#buffer = BUFFER_S;
    this.#window = [];
    this.#advancedAt = undefined;
    this.#drift = 0;
  }

  /** Local time at which `sample` plays. */
  timeOf(sample: number): number {
    return sample / this.rate + (this.#lag ?? 0);
  }

  /** Media sample that plays at local time `time`; fractional, -1 before the first message. */
  sampleAt(time: number): number {
    return this.#lag === undefined ? -1 : (time - this.#lag) * this.rate;
  }

  /** Seconds by which the page plays later (+) or earlier (-) than it would choose to, since the last `advance`. */
  get drift(): number {
    return this.#drift;
  }

  #target(fallback: number): number {
    const best = this.#window[0];
    return best === undefined ? fallback : best.lag + this.#buffer;
  }
}
