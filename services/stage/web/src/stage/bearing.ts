import { Joint } from "../events/motion_pb";
import { arkitName } from "./face";
import type { Pose } from "./frames";

/** Of a woman of 1.6 m, in metres. */
const UPPER_ARM = 0.27;
const LOWER_ARM = 0.24;
/** A hand higher than this, from the shoulder joint, is part of a gesture. Metres. */
const RAISED = -0.2;
/** What of height and of distance to the side every raised hand has. */
const USUAL_HEIGHT = -0.05;
const USUAL_SIDE = 0.1;
/** Faces and hands are judged by their mean over about so long. Seconds. */
const MEAN_S = 0.8;

/** How she carries herself, as one who films her sees it. */
export interface Manner {
  /** By how much her gesture goes beyond a picture from head to waist, in metres; below 0 it does not. */
  readonly reach: number;
  /** How fast both hands move while both are raised, as in dancing and clapping. Metres a second. */
  readonly stir: number;
  /** How much sorrow, shyness or longing her brows show, 0 to 1. */
  readonly tender: number;
}

type Vector = readonly [number, number, number];

interface Arm {
  readonly side: 1 | -1;
  readonly shoulder: number;
  readonly upper: number;
  readonly lower: number;
  hand: Vector | undefined;
}

/** Reads from her poses how she carries herself, whoever made them: what counts is what is seen. */
export class Bearing {
  readonly #arms: Arm[];
  readonly #inner: number;
  readonly #others: readonly number[];
  #stir = 0;
  #tender = 0;

  /** @param names of the face values, @param joints of a pose, both in their order */
  constructor(names: readonly string[], joints: readonly Joint[]) {
    const shapes = names.map(arkitName);
    this.#inner = shapes.indexOf("browInnerUp");
    this.#others = ["browOuterUpLeft", "browOuterUpRight", "eyeWideLeft", "eyeWideRight"].map((name) =>
      shapes.indexOf(name),
    );
    const arm = (side: 1 | -1, shoulder: Joint, upper: Joint, lower: Joint): Arm => ({
      side,
      shoulder: joints.indexOf(shoulder),
      upper: joints.indexOf(upper),
      lower: joints.indexOf(lower),
      hand: undefined,
    });
    const both = [
      arm(1, Joint.LEFT_SHOULDER, Joint.LEFT_UPPER_ARM, Joint.LEFT_LOWER_ARM),
      arm(-1, Joint.RIGHT_SHOULDER, Joint.RIGHT_UPPER_ARM, Joint.RIGHT_LOWER_ARM),
    ];
    // Arms that nobody moves stay in the T-pose here, which would look like a gesture.
    this.#arms = both.filter(({ upper }) => upper >= 0);
  }

  /** @param passed seconds since the pose before this one */
  read({ face, joints }: Pose, passed: number): Manner {
    const share = 1 - Math.exp(-passed / MEAN_S);
    const brow = (face[this.#inner] ?? 0) - Math.max(...this.#others.map((place) => face[place] ?? 0));
    this.#tender += (Math.max(0, brow) - this.#tender) * share;

    let reach = -1;
    let raised = this.#arms.length > 0;
    let slower = Number.POSITIVE_INFINITY;
    for (const arm of this.#arms) {
      const hand = handOf(arm, joints);
      const up = hand[1] > RAISED;
      raised &&= up;
      if (up) reach = Math.max(reach, hand[1] - USUAL_HEIGHT, hand[0] - USUAL_SIDE);
      const way = arm.hand ? Math.hypot(...hand.map((value, axis) => value - (arm.hand?.[axis] ?? 0))) : 0;
      slower = Math.min(slower, way / Math.max(passed, 1e-3));
      arm.hand = hand;
    }
    this.#stir += ((raised ? slower : 0) - this.#stir) * share;
    return { reach, stir: this.#stir, tender: this.#tender };
  }
}

/** Where a hand is: outwards, up and forward of its shoulder joint, in the trunk's axes. Metres. */
function handOf({ side, shoulder, upper, lower }: Arm, joints: Float32Array): Vector {
  const turned = (joint: number, [x, y, z]: Vector): Vector => {
    if (joint < 0) return [x, y, z];
    const [qx = 0, qy = 0, qz = 0, qw = 1] = joints.subarray(joint * 4, joint * 4 + 4);
    const [tx, ty, tz] = [2 * (qy * z - qz * y), 2 * (qz * x - qx * z), 2 * (qx * y - qy * x)];
    return [x + qw * tx + qy * tz - qz * ty, y + qw * ty + qz * tx - qx * tz, z + qw * tz + qx * ty - qy * tx];
  };
  const [x, y, z] = turned(lower, [side * LOWER_ARM, 0, 0]);
  const hand = turned(shoulder, turned(upper, [x + side * UPPER_ARM, y, z]));
  return [hand[0] * side, hand[1], hand[2]];
}
