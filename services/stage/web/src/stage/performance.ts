import type { Hello, StageFrame, StageMotion, StageStop, StageVoice } from "../events/stage_pb";
import { Alive } from "./alive";
import { MediaClock } from "./clock";
import { FrameBuffer, type Pose, restPose } from "./frames";
import { Program } from "./program";
import { Sound } from "./sound";
import { decodePcm, VoicePlayer } from "./voice";

/** How much motion is kept. Seconds. */
const MOTION_S = 8;

/** The performance of one room as this page has received it: when what is heard, shown and read. */
export class Performance {
  readonly clock: MediaClock;
  readonly voice: VoicePlayer;
  readonly sound: Sound;
  readonly program: Program;
  #frames: FrameBuffer;
  #pose: Pose;
  #alive: Alive;
  #shown = -1;
  #stoppedAt: number | null = null;

  /** @param changed told when the state of the sound may have changed */
  constructor(hello: Hello, changed: () => void) {
    this.clock = new MediaClock(hello.sampleRate);
    this.voice = new VoicePlayer(this.clock);
    this.program = new Program(hello.sampleRate);
    this.sound = new Sound(hello.sampleRate, this.voice, (delta) => this.clock.rebase(delta), changed);
    this.#pose = restPose(hello.joints.length);
    this.#frames = frameBuffer(hello);
    this.#alive = new Alive(hello.faceNames);
  }

  /** Media sample of the pose last shown; -1 before the first. */
  get shownSample(): number {
    return this.#shown;
  }

  /** The pose last shown. */
  get pose(): Pose {
    return this.#pose;
  }

  /** How far she moved by herself in that pose, because frames were missing: 0 to 1. */
  get byHerself(): number {
    return this.#alive.weight;
  }

  /** When the voice of the last stopped epoch had faded, Unix time in milliseconds; null before the first. */
  get stoppedAt(): number | null {
    return this.#stoppedAt;
  }

  /** Media sample that is heard now; -1 before the first message. */
  heardSample(): number {
    return this.clock.sampleAt(this.sound.heardAt());
  }

  /** The connection came back: what was to come is forgotten. */
  restart(hello: Hello): void {
    this.clock.reset();
    this.voice.reset();
    this.program.reset();
    this.#frames = frameBuffer(hello);
    this.#alive = new Alive(hello.faceNames);
    if (this.#pose.joints.length !== hello.joints.length * 4) this.#pose = restPose(hello.joints.length);
  }

  /** Takes what concerns the performance; anything else is left to others. */
  take({ nowSample, content }: StageFrame): void {
    this.clock.observe(Number(nowSample), this.sound.now());
    if (content.case === "voice") this.#speak(content.value);
    else if (content.case === "motion") this.#move(content.value);
    else if (content.case === "stop") this.#stop(content.value);
    else if (content.case === "caption") this.program.caption(content.value);
    else if (content.case === "performing") this.program.performing(content.value);
  }

  /** Keeps the clock; to be called often, whether or not anything is drawn. */
  tick(): void {
    const now = this.sound.now();
    if (this.clock.advance(now, this.voice.speaking(now))) this.voice.realign();
  }

  /** The pose to show at this moment. @param passed seconds since the last call */
  show(passed: number): Pose {
    const sample = this.heardSample();
    const fresh = this.#frames.read(sample, this.#pose);
    if (fresh) this.#shown = sample;
    this.#alive.blend(this.#pose, fresh, performance.now() / 1000, passed);
    return this.#pose;
  }

  #speak({ epoch, startSample, pcmS16le }: StageVoice): void {
    const chunk = { epoch: Number(epoch), start: Number(startSample), samples: decodePcm(pcmS16le) };
    if (chunk.samples.length > 0) this.voice.add(chunk, this.sound.now());
  }

  #move({ startSample, epoch, faceF32le, jointsF32le }: StageMotion): void {
    this.#frames.put(Number(startSample), Number(epoch), floats(faceF32le), floats(jointsF32le));
  }

  #stop({ epoch, atSample, fadeMs }: StageStop): void {
    const [number, sample, now] = [Number(epoch), Number(atSample), this.sound.now()];
    const silentAt = this.voice.stop(number, sample, fadeMs / 1000, now);
    this.#stoppedAt = Date.now() + (silentAt - now) * 1000;
    this.#frames.drop(number, sample);
    this.program.stop(number, sample);
  }
}

function frameBuffer(hello: Hello): FrameBuffer {
  const step = hello.sampleRate / hello.frameRate;
  return new FrameBuffer(step, hello.joints.length, MOTION_S * hello.frameRate);
}

/** float32 little endian, whatever the alignment of the bytes. */
function floats(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: Math.floor(bytes.byteLength / 4) }, (_, i) => view.getFloat32(i * 4, true));
}
