import type { VoicePlayer } from "./voice";

/** "blocked": the browser wants a tap first. "muted": the viewer turned it off. */
export type SoundState = "blocked" | "muted" | "on";

/**
 * The way of her voice to the ears, and the local time that follows it: the audio clock while sound runs, the page's
 * own clock otherwise.
 */
export class Sound {
  readonly #voice: VoicePlayer;
  readonly #context: AudioContext;
  readonly #volume: GainNode;
  readonly #analyser: AnalyserNode;
  readonly #heard: Float32Array<ArrayBuffer>;
  readonly #rebase: (delta: number) => void;
  readonly #changed: () => void;
  #running = false;
  #muted = false;

  /**
   * @param rate samples a second
   * @param rebase told when local time moves to another clock that shows `delta` seconds more
   * @param changed told when `state` may have changed
   */
  constructor(rate: number, voice: VoicePlayer, rebase: (delta: number) => void, changed: () => void) {
    this.#voice = voice;
    this.#rebase = rebase;
    this.#changed = changed;
    // At the rate of her voice, so that chunks join without resampling at their seams.
    this.#context = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    this.#volume = this.#context.createGain();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#heard = new Float32Array(this.#analyser.fftSize);
    this.#volume.connect(this.#analyser).connect(this.#context.destination);
    this.#context.addEventListener("statechange", () => this.#follow());
    this.#follow();
    this.resume();
  }

  get state(): SoundState {
    if (!this.#running) return "blocked";
    return this.#muted ? "muted" : "on";
  }

  /** Asks the browser to let her be heard; it may wait for a tap or a key. */
  resume(): void {
    // Without permission the promise stays open, or fails where the device is taken: both leave the state "blocked".
    this.#context.resume().catch(() => undefined);
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    this.#volume.gain.setTargetAtTime(muted ? 0 : 1, this.#context.currentTime, 0.01);
    this.#changed();
  }

  /** Local time, in seconds: what is scheduled for now leaves the page now. */
  now(): number {
    return this.#running ? this.#context.currentTime : performance.now() / 1000;
  }

  /** Local time of what the ears hear at this moment: `now` less the way through the device. */
  heardAt(): number {
    if (!this.#running) return this.now();
    const current = this.#context.currentTime;
    const { contextTime = 0, performanceTime = 0 } = this.#context.getOutputTimestamp();
    const heard = contextTime + (performance.now() - performanceTime) / 1000;
    const plausible = contextTime > 0 && heard <= current + 0.05 && heard > current - 1;
    return plausible ? heard : current - (this.#context.outputLatency || this.#context.baseLatency || 0);
  }

  /** Root mean square of the last 1,024 samples that left the audio graph: 0 is silence, 1 full scale. */
  energy(): number {
    if (!this.#running) return 0;
    this.#analyser.getFloatTimeDomainData(this.#heard);
    return Math.sqrt(this.#heard.reduce((sum, value) => sum + value * value, 0) / this.#heard.length);
  }

  #follow(): void {
    const running = this.#context.state === "running";
    if (running === this.#running) return;
    const delta = this.#context.currentTime - performance.now() / 1000;
    this.#running = running;
    this.#rebase(running ? delta : -delta);
    if (running) this.#voice.open(this.#context, this.#volume);
    else this.#voice.close();
    this.#changed();
  }
}
