import assert from "node:assert/strict";
import { test } from "node:test";
import { Joint } from "../src/events/motion_pb";
import { Bearing } from "../src/stage/bearing";
import { restPose } from "../src/stage/frames";

const NAMES = ["BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight", "EyeWideLeft", "EyeWideRight"];
const JOINTS = [
  Joint.SPINE,
  Joint.LEFT_SHOULDER,
  Joint.LEFT_UPPER_ARM,
  Joint.LEFT_LOWER_ARM,
  Joint.RIGHT_SHOULDER,
  Joint.RIGHT_UPPER_ARM,
  Joint.RIGHT_LOWER_ARM,
];
const FRAME_S = 1 / 60;

/** A pose whose upper arms point `down` radians below the horizontal and whose elbows bend forward by `bend`. */
function pose({ left = [1.25, 0.22], right = [1.25, 0.22], face = [0, 0, 0, 0, 0] } = {}) {
  const made = restPose(JOINTS.length);
  const turn = (joint: Joint, axis: 1 | 2, angle: number) => {
    const at = JOINTS.indexOf(joint) * 4;
    made.joints[at + axis] = Math.sin(angle / 2);
    made.joints[at + 3] = Math.cos(angle / 2);
  };
  turn(Joint.LEFT_UPPER_ARM, 2, -(left[0] ?? 0));
  turn(Joint.LEFT_LOWER_ARM, 1, -(left[1] ?? 0));
  turn(Joint.RIGHT_UPPER_ARM, 2, right[0] ?? 0);
  turn(Joint.RIGHT_LOWER_ARM, 1, right[1] ?? 0);
  made.face.set(face);
  return made;
}

function bearing() {
  return new Bearing(NAMES, JOINTS);
}

test("arms that hang reach nowhere; either arm to the side or overhead goes beyond the picture", () => {
  assert.ok(bearing().read(pose(), FRAME_S).reach < 0);
  for (const up of [
    { left: [0, 0.2] },
    { right: [0, 0.2] },
    { left: [-1.2, 0.3] },
    { left: [-1.2, 0.3], right: [-1.2, 0.3] },
  ]) {
    assert.ok(bearing().read(pose(up), FRAME_S).reach > 0.1, JSON.stringify(up));
  }
});

test("both arms see the same, mirrored", () => {
  const only = (side: "left" | "right") => bearing().read(pose({ [side]: [-0.4, 0.9] }), FRAME_S).reach;
  assert.ok(Math.abs(only("left") - only("right")) < 1e-6);
});

test("hands that both move while raised stir; one waving hand, hands at rest and hanging hands do not", () => {
  const stir = (at: (beat: number) => Parameters<typeof pose>[0]) => {
    const seen = bearing();
    let last = 0;
    for (let frame = 0; frame < 180; frame++) last = seen.read(pose(at(Math.sin(frame / 8))), FRAME_S).stir;
    return last;
  };
  assert.ok(stir((beat) => ({ left: [0.1 + 0.2 * beat, 0.5], right: [0.1 - 0.2 * beat, 0.5] })) > 0.2);
  assert.ok(stir((beat) => ({ left: [0.1 + 0.2 * beat, 0.5] })) < 0.01);
  assert.ok(stir(() => ({ left: [0.1, 0.5], right: [0.1, 0.5] })) < 0.01);
  assert.ok(stir((beat) => ({ left: [1.2 + 0.1 * beat, 0.2], right: [1.2 - 0.1 * beat, 0.2] })) < 0.01);
});

test("brows raised in the middle are tender after a moment, a surprised face is not", () => {
  const after = (face: number[], seconds: number) => {
    const seen = bearing();
    let last = 0;
    for (let at = 0; at < seconds; at += FRAME_S) last = seen.read(pose({ face }), FRAME_S).tender;
    return last;
  };
  assert.ok(after([0.65, 0, 0, 0, 0], 3) > 0.5);
  assert.ok(after([0.65, 0, 0, 0, 0], 0.1) < 0.1);
  assert.equal(after([0.6, 0.6, 0.6, 0.5, 0.5], 3), 0);
});

test("a renderer that is told of no arms and no brows finds nothing special", () => {
  assert.deepEqual(new Bearing([], []).read(restPose(0), FRAME_S), { reach: -1, stir: 0, tender: 0 });
});
