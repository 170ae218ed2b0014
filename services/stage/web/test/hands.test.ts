import assert from "node:assert/strict";
import { test } from "node:test";
import type { VRMHumanoid } from "@pixiv/three-vrm";
import { Object3D, Vector3 } from "three";
import { Joint } from "../src/events/motion_pb";
import { Gesture } from "../src/events/text_pb";
import { Hands, HOLDS } from "../src/stage/hands";

const JOINTS = [Joint.LEFT_UPPER_ARM, Joint.LEFT_LOWER_ARM, Joint.RIGHT_UPPER_ARM, Joint.RIGHT_LOWER_ARM];
const HANGING = [about("z", -1.25), about("y", -0.22), about("z", 1.25), about("y", 0.22)].flat();
/** The right arm points forward, the left one hangs. */
const RIGHT_RAISED = [about("z", -1.25), about("y", -0.22), about("y", 1.4), about("y", 0)].flat();

function about(axis: "y" | "z", angle: number): number[] {
  const sine = Math.sin(angle / 2);
  return [0, axis === "y" ? sine : 0, axis === "z" ? sine : 0, Math.cos(angle / 2)];
}

class Body {
  readonly #bones = new Map<string, Object3D>();
  readonly #hands: Hands;

  constructor(flip: 1 | -1 = 1, fingers = true) {
    const bone = (name: string) => {
      if (!fingers) return null;
      if (!this.#bones.has(name)) this.#bones.set(name, new Object3D());
      return this.#bones.get(name) ?? null;
    };
    this.#hands = new Hands({ getNormalizedBoneNode: bone } as unknown as VRMHumanoid, JOINTS, flip);
  }

  show(arms: number[], gesture: Gesture, seconds = 2): void {
    for (let step = 0; step < seconds * 60; step++) this.#hands.pose(Float32Array.from(arms), gesture, 1 / 60);
  }

  /** Where a finger's first joint points, in a hand that lies on a table: outwards, up, towards the thumb. */
  finger(name: string): Vector3 {
    const outwards = name.startsWith("left") ? 1 : -1;
    const bone = this.#bones.get(`${name}Proximal`) ?? new Object3D();
    const at = new Vector3(outwards, 0, 0).applyQuaternion(bone.quaternion);
    return new Vector3(at.x * outwards, at.y, at.z);
  }
}

test("hands that hang are a little bent, on both sides alike", () => {
  const body = new Body();
  body.show(HANGING, Gesture.POINT);
  for (const finger of ["Index", "Middle", "Ring", "Little"]) {
    const [left, right] = [body.finger(`left${finger}`), body.finger(`right${finger}`)];
    assert.ok(left.y < -0.1 && left.y > -0.5, `${finger}: ${left.y}`);
    assert.ok(left.distanceTo(right) < 1e-9);
  }
});

test("a hand that points has its index stretched and the others bent into the palm; the other hand hangs", () => {
  const body = new Body();
  body.show(RIGHT_RAISED, Gesture.POINT);
  assert.ok(body.finger("rightIndex").y > 0);
  for (const finger of ["Middle", "Ring", "Little"]) assert.ok(body.finger(`right${finger}`).y < -0.8, finger);
  assert.ok(body.finger("leftMiddle").y > -0.4);
});

test("a hand keeps its gesture when the words are over, until the arm has come down", () => {
  const body = new Body();
  body.show(RIGHT_RAISED, Gesture.POINT);
  body.show(RIGHT_RAISED, Gesture.UNSPECIFIED);
  assert.ok(body.finger("rightMiddle").y < -0.8);
  body.show(HANGING, Gesture.UNSPECIFIED);
  body.show(RIGHT_RAISED, Gesture.UNSPECIFIED);
  assert.ok(body.finger("rightMiddle").y > -0.1, "whatever comes next is done with an open hand");
});

test("fingers move no faster than fingers do", () => {
  const body = new Body();
  body.show(HANGING, Gesture.UNSPECIFIED);
  let before = body.finger("rightMiddle");
  for (const gesture of [Gesture.POINT, Gesture.WAVE, Gesture.DANCE]) {
    for (let frame = 0; frame < 60; frame++) {
      body.show(RIGHT_RAISED, gesture, 1 / 60);
      const after = body.finger("rightMiddle");
      assert.ok(after.angleTo(before) * 60 < 15, "radians a second");
      before = after;
    }
  }
});

test("palms that lie on her are flat, and no hand is more than a fist", () => {
  for (const [gesture, { fingers, thumb }] of Object.entries(HOLDS)) {
    for (const bent of [...fingers, thumb]) assert.ok(bent >= -0.1 && bent <= 1, gesture);
  }
  for (const bent of HOLDS[Gesture.LAUGH]?.fingers ?? [1]) assert.ok(bent <= 0.05);
});

test("a model of version 0 bends its fingers the same way, and one without fingers does as well", () => {
  const turned = new Body(-1);
  turned.show(RIGHT_RAISED, Gesture.POINT);
  assert.ok(turned.finger("rightMiddle").y > 0.8, "before the whole model is turned about");
  new Body(1, false).show(RIGHT_RAISED, Gesture.POINT);
});
