import assert from "node:assert/strict";
import { test } from "node:test";
import { arkitName, type FacePlan, lacks, planFace, presetValues, shapeKey } from "../src/stage/face";
import { FACE_VALUES } from "../src/stage/frames";

const SHAPES = [
  "jawOpen",
  "mouthClose",
  "mouthPucker",
  "mouthFunnel",
  "mouthSmileLeft",
  "mouthSmileRight",
  "eyeBlinkLeft",
  "eyeBlinkRight",
];
const READY: FacePlan = { lips: "vowels", lids: "presets", moods: "presets", gaze: "bones" };
const NO_BONES = { eyes: false, jaw: false };
const PRESETS = ["aa", "ih", "ou", "ee", "oh", "happy", "blink", "blinkLeft", "blinkRight"];

function shown(values: Record<string, number>, plan: Partial<FacePlan> = {}, angles: Record<number, number> = {}) {
  const face = new Float32Array(FACE_VALUES);
  for (const [name, value] of Object.entries(values)) face[SHAPES.indexOf(name)] = value;
  for (const [place, angle] of Object.entries(angles)) face[Number(place)] = angle;
  return Object.fromEntries(presetValues(face, SHAPES, { ...READY, ...plan }));
}

function planned(shapes: string[], presets: string[], bones: Partial<typeof NO_BONES> = {}): FacePlan {
  return planFace(new Set(shapes.map(shapeKey)), new Set(presets), { ...NO_BONES, ...bones });
}

test("closed lips show no vowel, even under a dropped jaw", () => {
  const { aa, oh, ou, ee } = shown({ jawOpen: 0.5, mouthClose: 0.5 });
  assert.deepEqual([aa, oh, ou, ee], [0, 0, 0, 0]);
});

test("an open jaw is aa, rounded it is oh, rounded without opening ou", () => {
  assert.equal(shown({ jawOpen: 0.5 })["aa"], 1);
  assert.equal(shown({ jawOpen: 0.5, mouthFunnel: 1 })["oh"], 1);
  assert.equal(shown({ mouthPucker: 1 })["ou"], 1);
});

test("one eye can blink alone", () => {
  const { blinkLeft, blinkRight } = shown({ eyeBlinkLeft: 1 });
  assert.deepEqual([blinkLeft, blinkRight], [1, 0]);
});

test("a model that can only blink with both eyes does not wink with both", () => {
  assert.equal(shown({ eyeBlinkLeft: 1 }, { lids: "together" })["blink"], 0);
  assert.equal(shown({ eyeBlinkLeft: 1, eyeBlinkRight: 1 }, { lids: "together" })["blink"], 1);
});

test("gaze is shown by expressions only where nothing else shows it", () => {
  const angles = { 55: 0.45, 58: 0.45, 56: -0.45, 59: -0.45 };
  assert.equal("lookLeft" in shown({}, { gaze: "bones" }, angles), false);
  const { lookLeft = 0, lookRight, lookUp, lookDown = 0 } = shown({}, { gaze: "presets" }, angles);
  assert.ok(lookLeft > 0.99 && lookDown > 0.99);
  assert.deepEqual([lookRight, lookUp], [0, 0]);
});

test("what ARKit shapes show is not shown a second time by presets", () => {
  const plan: FacePlan = { lips: "shapes", lids: "shapes", moods: "shapes", gaze: "shapes" };
  assert.deepEqual(shown({ jawOpen: 1, mouthSmileLeft: 1, eyeBlinkLeft: 1 }, plan), {});
  const smile = { mouthSmileLeft: 1, mouthSmileRight: 1 };
  assert.equal("happy" in shown(smile, { lips: "shapes" }), false, "the lips smile by themselves");
  assert.ok((shown(smile)["happy"] ?? 0) > 0.5);
});

test("each part of a face is shown by the best that a model has", () => {
  const lids = ["eyeBlinkLeft", "eyeBlinkRight"];
  assert.equal(planned(["jawOpen", "mouthFunnel"], PRESETS).lips, "shapes");
  assert.equal(planned(["jawOpen"], PRESETS).lips, "vowels", "a jaw alone makes no round vowel");
  assert.equal(planned([], [], { jaw: true }).lips, "jaw");
  assert.equal(planned([], []).lips, "still");
  assert.equal(planned(lids, PRESETS).lids, "shapes");
  assert.equal(planned([], PRESETS).lids, "presets");
  assert.equal(planned([], ["blink", "blinkLeft"]).lids, "together");
  assert.equal(planned([], PRESETS).moods, "presets");
  assert.equal(planned([], [], { eyes: true }).gaze, "bones");
  assert.equal(planned([], ["lookLeft", "lookRight", "lookUp", "lookDown"]).gaze, "presets");
});

test("what is missing is told by what happens instead, and nothing is told of a whole face", () => {
  const whole: FacePlan = { lips: "shapes", lids: "shapes", moods: "shapes", gaze: "bones" };
  assert.deepEqual(lacks(whole, 52), []);
  assert.deepEqual(lacks(whole, 51), ["someShapes"]);
  assert.deepEqual(lacks(planned([], PRESETS), 0), ["lipsByVowels", "gazeByHead"]);
  assert.deepEqual(lacks(planned([], []), 0), ["lipsStill", "lidsStill", "moodsNone", "gazeByHead"]);
});

test("Live Link names and ARKit names are the same names", () => {
  assert.equal(arkitName("JawOpen"), "jawOpen");
  assert.equal(arkitName("jawOpen"), "jawOpen");
});

test("shapes are found in other people's spellings", () => {
  for (const name of ["eyeBlinkLeft", "EyeBlinkLeft", "eyeBlink_L", "face.eyeBlink_L", "EYEBLINKLEFT"]) {
    assert.equal(shapeKey(name), "eyeblinkleft");
  }
  assert.equal(shapeKey("eyeBlink_R"), "eyeblinkright");
  assert.equal(shapeKey("mouth_roll"), "mouthroll");
});
