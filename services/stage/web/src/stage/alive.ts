import { arkitName } from "./face";
import { blend, FACE_VALUES, HEAD_PITCH, HEAD_ROLL, HEAD_YAW, type Pose } from "./frames";

/** After so long without frames she begins to live by herself. Seconds. */
const PATIENCE_S = 0.3;
/** How long it takes to pass from the room's motion to her own and back. Seconds. */
const PASSAGE_S = 0.6;
const BLINK_S = 0.18;

/**
 * A little life of the page's own (breath, blinks, small moves of the head) for as long as no frames come, so that a
 * lost connection never shows a frozen face. The body keeps the pose it had.
 */
export class Alive {
  readonly #own: Pose;
  readonly #blinks: number[];
  readonly #smiles: number[];
  #weight = 0;
  #without = 0;

  /** @param names of the face values, in their order */
  constructor(names: readonly string[]) {
    const shapes = names.map(arkitName);
    const places = (...of: string[]) => of.map((name) => shapes.indexOf(name)).filter((place) => place >= 0);
    this.#blinks = places("eyeBlinkLeft", "eyeBlinkRight");
    this.#smiles = places("mouthSmileLeft", "mouthSmileRight");
    this.#own = { face: new Float32Array(FACE_VALUES), joints: new Float32Array(0) };
  }

  /** How far she moves by herself: 0, only as the room says, to 1. */
  get weight(): number {
    return this.#weight;
  }

  /**
   * Blends her own life into `pose` as far as it is needed.
   * @param fresh whether the pose came from the room just now
   * @param time seconds of a steady clock, @param passed seconds since the last call
   */
  blend(pose: Pose, fresh: boolean, time: number, passed: number): void {
    this.#without = fresh ? 0 : this.#without + passed;
    const wanted = this.#without > PATIENCE_S ? 1 : 0;
    const step = passed / PASSAGE_S;
    this.#weight += Math.min(step, Math.max(-step, wanted - this.#weight));
    if (this.#weight <= 0) return;
    const face = this.#own.face.fill(0);
    for (const place of this.#smiles) face[place] = 0.2;
    const blink = Math.max(0, 1 - Math.abs((time % 4.3) / (BLINK_S / 2) - 1));
    for (const place of this.#blinks) face[place] = blink;
    face[HEAD_YAW] = 0.06 * Math.sin(time * 0.41);
    face[HEAD_PITCH] = 0.025 * Math.sin(time * 0.73) + 0.01 * Math.sin(time * 1.6);
    face[HEAD_ROLL] = 0.03 * Math.sin(time * 0.29);
    blend({ face: pose.face, joints: this.#own.joints }, this.#own, this.#weight);
  }
}
