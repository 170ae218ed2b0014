import assert from "node:assert/strict";
import { test } from "node:test";
import { type Object3D, Vector3 } from "three";
import { Joint } from "../src/events/motion_pb";
import { HEAD_PITCH, HEAD_YAW, LEFT_EYE_YAW, type Pose, RIGHT_EYE_YAW, restPose } from "../src/stage/frames";
import { loadVrm } from "../src/stage/vrm_figure";
import { checkVrm, FILE_MAX_MB, Refused } from "../src/stage/vrm_file";

const JOINTS = [Joint.SPINE, Joint.CHEST, Joint.UPPER_CHEST, Joint.NECK, Joint.LEFT_SHOULDER, Joint.LEFT_UPPER_ARM];
const NAMES = ["JawOpen", "MouthClose"];
const REQUIRED = ["hips", "spine", "head"].concat(
  ["left", "right"].flatMap((side) =>
    ["UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot"].map((b) => side + b),
  ),
);
const WHOLE = [...REQUIRED, "chest", "upperChest", "neck", "leftShoulder", "leftEye", "rightEye", "jaw"];
const PARENTS: Record<string, string> = {
  spine: "hips",
  chest: "spine",
  upperChest: "chest",
  neck: "upperChest",
  head: "neck",
  leftShoulder: "upperChest",
  leftUpperArm: "leftShoulder",
  leftEye: "head",
  rightEye: "head",
  jaw: "head",
};

/** A file of a skeleton alone: every bone one decimetre above its parent. */
function skeleton(version: "0" | "1", bones: string[], more: object = {}): ArrayBuffer {
  const parent = (bone: string): number => {
    for (let name = PARENTS[bone] ?? "hips"; ; name = PARENTS[name] ?? "hips") {
      if (bones.includes(name)) return bones.indexOf(name);
    }
  };
  const nodes: { name: string; translation: number[]; children?: number[] }[] = bones.map((name) => ({
    name,
    translation: [0, 0.1, 0],
  }));
  bones.forEach((bone, index) => {
    if (bone !== "hips")
      nodes[parent(bone)]?.children?.push(index) ?? Object.assign(nodes[parent(bone)] ?? {}, { children: [index] });
  });
  const order = bones.map((bone, node) => ({ bone, node }));
  const vrm =
    version === "1"
      ? {
          VRMC_vrm: {
            specVersion: "1.0",
            meta: { name: "T", authors: ["t"], licenseUrl: "https://vrm.dev/licenses/1.0/" },
            humanoid: { humanBones: Object.fromEntries(order.map(({ bone, node }) => [bone, { node }])) },
            ...more,
          },
        }
      : { VRM: { exporterVersion: "t", meta: { title: "T" }, humanoid: { humanBones: order }, ...more } };
  return glb({
    asset: { version: "2.0" },
    scene: 0,
    scenes: [{ nodes: [bones.indexOf("hips")] }],
    nodes,
    extensionsUsed: Object.keys(vrm),
    extensions: vrm,
  });
}

function glb(description: object): ArrayBuffer {
  const text = new TextEncoder().encode(JSON.stringify(description));
  const length = Math.ceil(text.length / 4) * 4;
  const file = new Uint8Array(20 + length).fill(32);
  const view = new DataView(file.buffer);
  for (const [index, word] of [0x46546c67, 2, file.length, length, 0x4e4f534a].entries()) {
    view.setUint32(index * 4, word, true);
  }
  file.set(text, 20);
  return file.buffer;
}

async function worn(file: ArrayBuffer, change: (pose: Pose) => void = () => undefined) {
  const figure = await loadVrm(file, "file", NAMES, JOINTS);
  const pose = restPose(JOINTS.length);
  change(pose);
  figure.pose(pose, 0.016);
  figure.object.updateMatrixWorld(true);
  return figure;
}

/** Where a bone points in the scene that points to its model's front at rest. */
function front(object: Object3D, bone: string, version: "0" | "1"): Vector3 {
  const rest = new Vector3(0, 0, version === "1" ? 1 : -1);
  return object.getObjectByName(bone)?.localToWorld(rest).sub(place(object, bone)) ?? rest;
}

function place(object: Object3D, bone: string): Vector3 {
  return object.getObjectByName(bone)?.getWorldPosition(new Vector3()) ?? new Vector3();
}

/** About y to her left, for the joint at this place. */
function turn(pose: Pose, joint: Joint, angle: number): void {
  pose.joints.set([0, Math.sin(angle / 2), 0, Math.cos(angle / 2)], JOINTS.indexOf(joint) * 4);
}

function near(a: number, b: number): void {
  assert.ok(Math.abs(a - b) < 1e-6, `${a} is ${b}`);
}

for (const version of ["0", "1"] as const) {
  test(`a model of version ${version} faces the camera, looks to its own left and up, and opens its jaw downwards`, async () => {
    const { object } = await worn(skeleton(version, WHOLE), ({ face }) => {
      face[HEAD_YAW] = 0.5;
      face[HEAD_PITCH] = 0.3;
    });
    near(front(object, "hips", version).z, 1);
    const head = front(object, "head", version);
    near(head.x, Math.sin(0.5) * Math.cos(0.3));
    near(head.y, Math.sin(0.3));
    const open = await worn(skeleton(version, WHOLE), ({ face }) => {
      face[0] = 1;
    });
    assert.ok(front(open.object, "jaw", version).y < -0.2);
    assert.deepEqual(open.missing, ["lipsByJaw", "lidsStill", "moodsNone"]);
  });

  test(`in version ${version}, a jaw does not drop under closed lips`, async () => {
    const { object } = await worn(skeleton(version, WHOLE), ({ face }) => {
      face[0] = face[1] = 0.6;
    });
    near(front(object, "jaw", version).y, 0);
  });

  test(`in version ${version}, bones that a model lacks are turned for by their neighbours`, async () => {
    const move = (pose: Pose) => {
      for (const joint of [Joint.SPINE, Joint.CHEST, Joint.UPPER_CHEST, Joint.NECK]) turn(pose, joint, 0.1);
      turn(pose, Joint.LEFT_SHOULDER, 0.2);
    };
    const whole = await worn(skeleton(version, WHOLE), move);
    const bare = await worn(skeleton(version, REQUIRED), move);
    for (const bone of ["head", "leftUpperArm"]) {
      const [expected, found] = [front(whole.object, bone, version), front(bare.object, bone, version)];
      assert.ok(expected.distanceTo(found) < 1e-6, bone);
    }
    near(front(bare.object, "head", version).x, Math.sin(0.4));
    near(front(bare.object, "leftUpperArm", version).x, Math.sin(0.5));
  });
}

test("eyes turn no further than their maker says, each by its own side", async () => {
  const limit = (degrees: number) => ({ inputMaxValue: 90, outputScale: degrees });
  const lookAt = {
    type: "bone",
    offsetFromHeadBone: [0, 0, 0],
    rangeMapHorizontalInner: limit(8),
    rangeMapHorizontalOuter: limit(12),
    rangeMapVerticalDown: limit(10),
    rangeMapVerticalUp: limit(10),
  };
  const gaze = (angle: number) =>
    worn(skeleton("1", WHOLE, { lookAt, expressions: {} }), ({ face }) => {
      face[LEFT_EYE_YAW] = face[RIGHT_EYE_YAW] = angle;
    });
  const [far, little] = [(await gaze(0.5)).object, (await gaze(0.05)).object];
  near(front(far, "leftEye", "1").x, Math.sin((12 * Math.PI) / 180));
  near(front(far, "rightEye", "1").x, Math.sin((8 * Math.PI) / 180));
  near(front(little, "leftEye", "1").x, Math.sin(0.05));
});

test("a model that wants its gaze shown by expressions keeps its eye bones at rest", async () => {
  const lookAt = { type: "expression", offsetFromHeadBone: [0, 0, 0] };
  const figure = await worn(skeleton("1", WHOLE, { lookAt, expressions: {} }), ({ face }) => {
    face[LEFT_EYE_YAW] = 0.3;
  });
  near(front(figure.object, "leftEye", "1").x, 0);
  assert.ok(figure.missing.includes("gazeByHead"));
});

test("a file is refused with the reason", async () => {
  const why = async (file: ArrayBuffer) => {
    const reason = await loadVrm(file, "file", NAMES, JOINTS).then(
      () => undefined,
      (refused: unknown) => refused,
    );
    assert.ok(reason instanceof Refused);
    return [reason.why, reason.detail];
  };
  assert.deepEqual(await why(new TextEncoder().encode("not a model at all, only words").buffer), ["notVrm", ""]);
  assert.deepEqual(await why(new ArrayBuffer(3)), ["notVrm", ""]);
  assert.deepEqual(await why(glb({ asset: { version: "2.0" } })), ["noVrmPart", ""]);
  assert.deepEqual(
    await why(
      skeleton(
        "0",
        REQUIRED.filter((bone) => bone !== "spine"),
      ),
    ),
    ["noHumanoid", "spine"],
  );
  assert.equal((await why(glb({ extensions: { VRM: {} } })))[0], "noHumanoid");
  assert.deepEqual(await why(skeleton("1", WHOLE).slice(0, 200)), ["broken", "the end is missing"]);
  const later = await why(skeleton("1", WHOLE, { specVersion: "2.0" }));
  assert.equal(later[0], "broken");
  const unread = skeleton("1", WHOLE, {});
  assert.doesNotThrow(() => checkVrm(unread));
  assert.deepEqual(await why(new ArrayBuffer(FILE_MAX_MB * 1e6 + 1)), ["tooLarge", "100"]);
});
