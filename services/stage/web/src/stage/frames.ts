/** Numbers of one face frame: 52 ARKit shapes, then head and eye angles. */
export const FACE_VALUES = 61;
/** Places of the angles in a face frame, all in radians. */
export const HEAD_YAW = 52;
export const HEAD_PITCH = 53;
export const HEAD_ROLL = 54;
export const LEFT_EYE_YAW = 55;
export const LEFT_EYE_PITCH = 56;
export const RIGHT_EYE_YAW = 58;
export const RIGHT_EYE_PITCH = 59;

/** How she stands at one moment. */
export interface Pose {
  /** [61] shapes from 0 to 1, then angles in radians. */
  readonly face: Float32Array;
  /** [joints × 4] full local rotations as quaternions x, y, z, w, in the axes of VRM 1.0's normalised bones. */
  readonly joints: Float32Array;
}

/** A pose at rest for `joints` joints. */
export function restPose(joints: number): Pose {
  const pose = { face: new Float32Array(FACE_VALUES), joints: new Float32Array(joints * 4) };
  for (let w = 3; w < pose.joints.length; w += 4) pose.joints[w] = 1;
  return pose;
}

/**
 * The frames ahead, by media sample: a ring in which newer frames overwrite the oldest, and a later message overwrites
 * what an earlier one said of the same samples.
 */
export class FrameBuffer {
  readonly #step: number;
  readonly #joints: number;
  readonly #samples: Float64Array;
  readonly #epochs: Float64Array;
  readonly #faces: Float32Array;
  readonly #rotations: Float32Array;
  #newest = -1;

  /**
   * @param step media samples from frame to frame
   * @param joints how many joints a frame moves
   * @param capacity frames kept
   */
  constructor(step: number, joints: number, capacity: number) {
    this.#step = step;
    this.#joints = joints;
    this.#samples = new Float64Array(capacity).fill(-1);
    this.#epochs = new Float64Array(capacity);
    this.#faces = new Float32Array(capacity * FACE_VALUES);
    this.#rotations = new Float32Array(capacity * joints * 4);
  }

  /** Media sample of the newest frame, -1 when there is none. */
  get newest(): number {
    return this.#newest;
  }

  /**
   * Takes the frames of one message.
   * @param start media sample of the first frame
   * @param face [frames × 61]
   * @param joints [frames × joints × 4]
   * @returns how many frames were taken; 0 when the sizes do not fit each other
   */
  put(start: number, epoch: number, face: Float32Array, joints: Float32Array): number {
    const count = face.length / FACE_VALUES;
    const width = this.#joints * 4;
    if (!Number.isInteger(count) || joints.length !== count * width) return 0;
    for (let frame = 0; frame < count; frame++) {
      const sample = start + frame * this.#step;
      const slot = this.#slot(sample);
      this.#samples[slot] = sample;
      this.#epochs[slot] = epoch;
      this.#faces.set(face.subarray(frame * FACE_VALUES, (frame + 1) * FACE_VALUES), slot * FACE_VALUES);
      this.#rotations.set(joints.subarray(frame * width, (frame + 1) * width), slot * width);
      this.#newest = Math.max(this.#newest, sample);
    }
    return count;
  }

  /**
   * Writes the pose at media sample `sample` into `pose`, between two frames where it falls between them.
   * @returns false, leaving the pose alone, when no frame lies within one step of the sample
   */
  read(sample: number, pose: Pose): boolean {
    let before = -1;
    let after = -1;
    let from = Number.NEGATIVE_INFINITY;
    let to = Number.POSITIVE_INFINITY;
    for (let near = -1; near <= 1; near++) {
      const slot = this.#slot(sample + near * this.#step);
      const held = this.#samples[slot] ?? -1;
      if (held < 0 || Math.abs(held - sample) > this.#step) continue;
      if (held <= sample && held > from) [before, from] = [slot, held];
      if (held >= sample && held < to) [after, to] = [slot, held];
    }
    if (before < 0 && after < 0) return false;
    this.#copy(before < 0 ? after : before, pose);
    if (before >= 0 && to > from && after >= 0) this.#blend(after, (sample - from) / (to - from), pose);
    return true;
  }

  /** Forgets the frames of epochs below `epoch` after media sample `after`. */
  drop(epoch: number, after: number): void {
    let newest = -1;
    this.#samples.forEach((sample, slot) => {
      if (sample > after && (this.#epochs[slot] ?? 0) < epoch) this.#samples[slot] = -1;
      else newest = Math.max(newest, sample);
    });
    this.#newest = newest;
  }

  #slot(sample: number): number {
    const index = Math.round(sample / this.#step) % this.#samples.length;
    return index < 0 ? index + this.#samples.length : index;
  }

  #copy(slot: number, pose: Pose): void {
    const width = this.#joints * 4;
    pose.face.set(this.#faces.subarray(slot * FACE_VALUES, (slot + 1) * FACE_VALUES));
    pose.joints.set(this.#rotations.subarray(slot * width, (slot + 1) * width));
  }

  #blend(slot: number, share: number, pose: Pose): void {
    const width = this.#joints * 4;
    blend(
      pose,
      {
        face: this.#faces.subarray(slot * FACE_VALUES, (slot + 1) * FACE_VALUES),
        joints: this.#rotations.subarray(slot * width, (slot + 1) * width),
      },
      share,
    );
  }
}

/** Moves `pose` towards `other` by `share` (0 to 1): values linearly, rotations as normalised sums on the short way. */
export function blend(pose: Pose, other: Pose, share: number): void {
  pose.face.forEach((value, i) => {
    pose.face[i] = value + ((other.face[i] ?? value) - value) * share;
  });
  for (let at = 0; at < pose.joints.length; at += 4) {
    const from = pose.joints.subarray(at, at + 4);
    const to = other.joints.subarray(at, at + 4);
    const side = from.reduce((sum, value, i) => sum + value * (to[i] ?? 0), 0) < 0 ? -1 : 1;
    from.forEach((value, i) => {
      from[i] = value + (side * (to[i] ?? 0) - value) * share;
    });
    const length = Math.hypot(...from) || 1;
    from.forEach((value, i) => {
      from[i] = value / length;
    });
  }
}
