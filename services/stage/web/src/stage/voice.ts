import type { MediaClock } from "./clock";

/** Chunks held at most, sounding and to come; the newest beyond that are refused. */
const CHUNKS_MAX = 128;
/** Sound must be given to the audio graph this much before its time. Seconds. */
const GUARD_S = 0.005;
/** Longest fade of a stopped epoch. Seconds. */
const FADE_MAX_S = 0.05;

/** A piece of her voice. */
export interface VoiceChunk {
  readonly epoch: number;
  /** Media sample of its first sample. */
  readonly start: number;
  /** Mono, -1 to 1, at the media clock's rate. */
  readonly samples: Float32Array<ArrayBuffer>;
}

/** The part of Web Audio that the player needs; an `AudioContext` at the media clock's rate fits. */
export type AudioGraph = Pick<
  BaseAudioContext,
  "currentTime" | "sampleRate" | "createBuffer" | "createBufferSource" | "createGain"
>;

interface Held extends VoiceChunk {
  source?: AudioBufferSourceNode;
}

/**
 * Plays voice chunks on the audio clock. Every epoch has a gain of its own, so that stopping an epoch fades what sounds
 * and leaves its successor alone. Without permission to sound, chunks wait and are joined in the middle once it comes.
 */
export class VoicePlayer {
  readonly #clock: MediaClock;
  #graph: AudioGraph | undefined;
  #output: AudioNode | undefined;
  #held: Held[] = [];
  #gains = new Map<number, GainNode>();
  #oldest = 0;
  #newest = 0;
  #late = 0;

  constructor(clock: MediaClock) {
    this.#clock = clock;
  }

  /** Highest epoch heard of so far. */
  get epoch(): number {
    return this.#newest;
  }

  /** Chunks that came after their time so far. */
  get late(): number {
    return this.#late;
  }

  /** True while a chunk sounds or is to come. */
  speaking(now: number): boolean {
    return this.#held.some((chunk) => this.#end(chunk) > now);
  }

  /** Sound is possible from now on: chunks go to `output`, those already under way too. */
  open(graph: AudioGraph, output: AudioNode): void {
    this.#graph = graph;
    this.#output = output;
    for (const chunk of this.#held) this.#schedule(chunk, graph, output);
  }

  /** The clock has jumped: what waits is scheduled anew. */
  realign(): void {
    for (const chunk of this.#held) {
      this.#silence(chunk);
      if (this.#graph && this.#output) this.#schedule(chunk, this.#graph, this.#output);
    }
  }

  /** Sound is not possible any more. */
  close(): void {
    for (const chunk of this.#held) this.#silence(chunk);
    for (const gain of this.#gains.values()) gain.disconnect();
    this.#gains.clear();
    this.#graph = undefined;
    this.#output = undefined;
  }

  /**
   * Takes a chunk that arrived at local time `now`. What comes too late postpones the clock; what even that cannot save
   * is cut at its beginning, so that the rest stays in step with her face.
   * @returns false when the chunk belongs to a dead epoch, is past, or too many are waiting
   */
  add(chunk: VoiceChunk, now: number): boolean {
    this.#held = this.#held.filter((held) => this.#end(held) > now);
    if (chunk.epoch < this.#oldest || this.#held.length >= CHUNKS_MAX) return false;
    const late = now + GUARD_S - this.#clock.timeOf(chunk.start);
    if (late > 0) {
      this.#late += 1;
      this.#clock.postpone(late);
    }
    if (this.#end(chunk) <= now) return false;
    this.#newest = Math.max(this.#newest, chunk.epoch);
    const held: Held = { ...chunk };
    this.#held.push(held);
    if (this.#graph && this.#output) this.#schedule(held, this.#graph, this.#output);
    return true;
  }

  /**
   * Everything of an epoch below `epoch` is dead: what sounds fades out from media sample `sample` on, not before local
   * time `now`, and without waiting for the clock's buffer; the rest is forgotten.
   * @param fade seconds, at most 0.05
   * @returns local time at which the last of it has faded
   */
  stop(epoch: number, sample: number, fade: number, now: number): number {
    const from = Math.max(now, this.#clock.timeOf(sample) - this.#clock.buffer);
    const silentAt = from + Math.min(FADE_MAX_S, Math.max(0, fade));
    this.#oldest = Math.max(this.#oldest, epoch);
    this.#newest = Math.max(this.#newest, epoch);
    for (const [of, gain] of this.#gains) {
      if (of >= epoch) continue;
      gain.gain.setValueAtTime(1, from);
      gain.gain.linearRampToValueAtTime(0, silentAt);
      this.#gains.delete(of);
    }
    const dead = this.#held.filter((chunk) => chunk.epoch < epoch);
    this.#held = this.#held.filter((chunk) => chunk.epoch >= epoch);
    for (const chunk of dead) {
      if (this.#clock.timeOf(chunk.start) >= silentAt) this.#silence(chunk);
      else chunk.source?.stop(silentAt);
    }
    return silentAt;
  }

  /** Forgets everything at once, as for a new connection; epochs count on from anywhere. */
  reset(): void {
    for (const chunk of this.#held) this.#silence(chunk);
    this.#held = [];
    this.#oldest = 0;
    this.#newest = 0;
  }

  #schedule(chunk: Held, graph: AudioGraph, output: AudioNode): void {
    const due = this.#clock.timeOf(chunk.start);
    const when = Math.max(due, graph.currentTime);
    const skip = when - due;
    if (skip >= chunk.samples.length / this.#clock.rate) return;
    const buffer = graph.createBuffer(1, chunk.samples.length, this.#clock.rate);
    buffer.copyToChannel(chunk.samples, 0);
    const source = graph.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#gain(chunk.epoch, graph, output));
    // On whole samples, so that chunk joins chunk without interpolation.
    source.start(Math.round(when * graph.sampleRate) / graph.sampleRate, skip);
    chunk.source = source;
  }

  #gain(epoch: number, graph: AudioGraph, output: AudioNode): GainNode {
    const known = this.#gains.get(epoch);
    if (known) return known;
    const gain = graph.createGain();
    gain.connect(output);
    this.#gains.set(epoch, gain);
    for (const [old, node] of this.#gains) {
      if (old < epoch && !this.#held.some((chunk) => chunk.epoch === old)) {
        node.disconnect();
        this.#gains.delete(old);
      }
    }
    return gain;
  }

  #silence(chunk: Held): void {
    chunk.source?.stop();
    chunk.source?.disconnect();
    delete chunk.source;
  }

  #end(chunk: VoiceChunk): number {
    return this.#clock.timeOf(chunk.start) + chunk.samples.length / this.#clock.rate;
  }
}

/** Decodes signed 16 bit little endian samples to -1 … 1. An odd last byte is ignored. */
export function decodePcm(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(Math.floor(bytes.byteLength / 2));
  for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(i * 2, true) / 32768;
  return samples;
}
