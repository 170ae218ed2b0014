import type { VRMHumanBoneName, VRMHumanoid } from "@pixiv/three-vrm";
import { type Object3D, Quaternion, Vector3 } from "three";
import { Joint } from "../events/motion_pb";
import { Gesture } from "../events/text_pb";

/** How far index, middle, ring and little finger and the thumb are bent: 0 as the body's maker left them, 1 a fist. */
export interface Hold {
  readonly fingers: readonly [number, number, number, number];
  readonly thumb: number;
  /** How far the fingers are spread from each other, in radians; negative: closed. */
  readonly spread: number;
}

const evenly = (bent: number, thumb: number, spread = 0): Hold => ({
  fingers: [bent, bent, bent, bent],
  thumb,
  spread,
});

/** What a hand does that hangs: it is never quite open. */
export const HANGING: Hold = { fingers: [0.14, 0.2, 0.24, 0.28], thumb: 0.12, spread: -0.03 };
const OPEN: Hold = { fingers: [0, 0, 0.02, 0.04], thumb: 0.1, spread: -0.03 };
/**
 * Hands of the named gestures; of all others, raised hands stay open. The frames move no fingers: those would be twice as
 * many numbers as all else. Where a palm lies on her the hand is flat, so that no finger goes into her.
 */
export const HOLDS: Readonly<Partial<Record<Gesture, Hold>>> = {
  [Gesture.WAVE]: evenly(-0.06, 0, 0.05),
  [Gesture.HEART]: { fingers: [0.42, 0.44, 0.46, 0.48], thumb: 0.05, spread: -0.06 },
  [Gesture.CLAP]: evenly(-0.04, 0.1, -0.06),
  [Gesture.SHY]: { fingers: [0.2, 0.26, 0.32, 0.36], thumb: 0.2, spread: -0.05 },
  [Gesture.LAUGH]: evenly(0, 0.05, -0.04),
  [Gesture.THINK]: { fingers: [0.05, 0.45, 0.52, 0.56], thumb: 0.25, spread: -0.02 },
  [Gesture.POINT]: { fingers: [-0.06, 0.86, 0.92, 0.94], thumb: 0.5, spread: -0.02 },
  [Gesture.DANCE]: { fingers: [0.5, 0.56, 0.6, 0.64], thumb: 0.35, spread: -0.02 },
};

const FINGERS = ["Index", "Middle", "Ring", "Little"] as const;
/** How far the joints of a finger turn in a fist, in radians. */
const FIST = { Proximal: 1.3, Intermediate: 1.6, Distal: 1.0 } as const;
/** And those of the thumb, about an axis across the palm. */
const THUMB = { Metacarpal: 0.45, Proximal: 0.6, Distal: 0.9 } as const;
const THUMB_AXIS = new Vector3(0.45, 0.77, -0.45).normalize();
/** Shares of the spread: the middle finger stays. */
const SPREAD = [1, 0, -0.7, -1.5] as const;
/** From this turning of an arm on, in radians, out of how it hangs, its hand begins to act, and from the other on it does. */
const RISING = 0.35;
const RAISED = 1.1;
/** A hand follows what it is to do with this time constant. Seconds. */
const FOLLOWS_S = 0.12;
/** An upper arm hangs so far below the horizontal, a lower arm is bent so much; radians (motion.proto). */
const HANGS = 1.25;
const BENT = 0.22;
const ARMS = [
  { side: "left", sign: 1, joints: [Joint.LEFT_UPPER_ARM, Joint.LEFT_LOWER_ARM] },
  { side: "right", sign: -1, joints: [Joint.RIGHT_UPPER_ARM, Joint.RIGHT_LOWER_ARM] },
] as const;

interface Hand {
  /** 1 left, -1 right. */
  readonly sign: 1 | -1;
  /** Places of upper and lower arm in a pose. */
  readonly arm: readonly [number, number];
  readonly fingers: readonly (readonly [Object3D | null, Object3D | null, Object3D | null])[];
  readonly thumb: readonly [Object3D | null, Object3D | null, Object3D | null];
  /** How much it acts and what, now. */
  weight: number;
  hold: Hold;
}

/** Her fingers: they follow the gesture that the words come with, as far as the arm is raised for it. */
export class Hands {
  readonly #hands: readonly Hand[];
  /** VRM 0 models face the other way: rotations turn about x and z the other way round. */
  readonly #flip: 1 | -1;
  readonly #turn = new Quaternion();
  readonly #further = new Quaternion();
  #gesture = Gesture.UNSPECIFIED;

  /** @param joints of a pose, in their order */
  constructor(humanoid: VRMHumanoid, joints: readonly Joint[], flip: 1 | -1) {
    const bone = (name: string) => humanoid.getNormalizedBoneNode(name as VRMHumanBoneName);
    this.#flip = flip;
    this.#hands = ARMS.map(({ side, sign, joints: [upper, lower] }) => ({
      sign,
      arm: [joints.indexOf(upper), joints.indexOf(lower)],
      fingers: FINGERS.map((name) => [
        bone(`${side}${name}Proximal`),
        bone(`${side}${name}Intermediate`),
        bone(`${side}${name}Distal`),
      ]),
      thumb: [bone(`${side}ThumbMetacarpal`), bone(`${side}ThumbProximal`), bone(`${side}ThumbDistal`)],
      weight: 0,
      hold: HANGING,
    }));
  }

  /**
   * @param rotations of the joints, as a pose has them
   * @param gesture that goes with the present words; one that is over keeps the hands until the arms have come down
   * @param passed seconds since the last call
   */
  pose(rotations: Float32Array, gesture: Gesture, passed: number): void {
    const raised = this.#hands.map((hand) => this.#raised(hand, rotations));
    const named = HOLDS[gesture] !== undefined;
    if (named || Math.max(...raised) < 0.05) this.#gesture = gesture;
    const acts = HOLDS[this.#gesture] ?? OPEN;
    const share = 1 - Math.exp(-passed / FOLLOWS_S);
    this.#hands.forEach((hand, place) => {
      hand.weight += ((raised[place] ?? 0) - hand.weight) * share;
      hand.hold = between(hand.hold, between(HANGING, acts, hand.weight), share);
      this.#hold(hand);
    });
  }

  /** How far an arm is raised out of hanging: 0 to 1. */
  #raised({ arm: [upper, lower], sign }: Hand, rotations: Float32Array): number {
    if (upper < 0 || lower < 0) return 0;
    const turned =
      this.#angle(rotations, upper, this.#further.set(0, 0, -sign * Math.sin(HANGS / 2), Math.cos(HANGS / 2))) +
      this.#angle(rotations, lower, this.#further.set(0, -sign * Math.sin(BENT / 2), 0, Math.cos(BENT / 2)));
    const share = Math.min(1, Math.max(0, (turned - RISING) / (RAISED - RISING)));
    return share * share * (3 - 2 * share);
  }

  #angle(rotations: Float32Array, place: number, rest: Quaternion): number {
    return this.#turn.fromArray(rotations, place * 4).angleTo(rest);
  }

  #hold({ sign, fingers, thumb, hold }: Hand): void {
    fingers.forEach(([proximal, intermediate, distal], finger) => {
      const bent = hold.fingers[finger] ?? 0;
      const spread = hold.spread * (SPREAD[finger] ?? 0);
      this.#turn.setFromAxisAngle(UP, -sign * spread);
      this.#bend(proximal, FORWARD, -sign * FIST.Proximal * bent, this.#turn);
      this.#bend(intermediate, FORWARD, -sign * FIST.Intermediate * bent);
      this.#bend(distal, FORWARD, -sign * FIST.Distal * bent);
    });
    const axis = sign > 0 ? THUMB_AXIS : THUMB_AXIS_RIGHT;
    [THUMB.Metacarpal, THUMB.Proximal, THUMB.Distal].forEach((most, place) => {
      this.#bend(thumb[place] ?? null, axis, most * hold.thumb);
    });
  }

  #bend(bone: Object3D | null, axis: Vector3, angle: number, first?: Quaternion): void {
    if (!bone) return;
    const { x, y, z, w } = first
      ? this.#further.setFromAxisAngle(axis, angle).premultiply(first)
      : this.#further.setFromAxisAngle(axis, angle);
    bone.quaternion.set(x * this.#flip, y, z * this.#flip, w);
  }
}

const UP = new Vector3(0, 1, 0);
const FORWARD = new Vector3(0, 0, 1);
const THUMB_AXIS_RIGHT = new Vector3(THUMB_AXIS.x, -THUMB_AXIS.y, -THUMB_AXIS.z);

function between(from: Hold, to: Hold, share: number): Hold {
  const mixed = (a: number, b: number) => a + (b - a) * share;
  const [index, middle, ring, little] = from.fingers;
  return {
    fingers: [
      mixed(index, to.fingers[0]),
      mixed(middle, to.fingers[1]),
      mixed(ring, to.fingers[2]),
      mixed(little, to.fingers[3]),
    ],
    thumb: mixed(from.thumb, to.thumb),
    spread: mixed(from.spread, to.spread),
  };
}
