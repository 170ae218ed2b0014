import assert from "node:assert/strict";
import { test } from "node:test";
import { arkitName, presets } from "../src/stage/face";
import { FACE_VALUES } from "../src/stage/frames";

const SHAPES = [
  "jawOpen",
  "mouthClose",
  "mouthPucker",
  "mouthFunnel",
  "mouthSmileLeft",
  "mouthSmileRight",
  "eyeBlinkLeft",
];

function shown(values: Record<string, number>, looks = false, angles: Record<number, number> = {}) {
  const face = new Float32Array(FACE_VALUES);
  for (const [name, value] of Object.entries(values)) face[SHAPES.indexOf(name)] = value;
  for (const [place, angle] of Object.entries(angles)) face[Number(place)] = angle;
  return Object.fromEntries(presets(face, SHAPES, looks));
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

test("gaze is shown by expressions only where the model has no eye bones", () => {
  const angles = { 55: 0.45, 58: 0.45, 56: -0.45, 59: -0.45 };
  assert.equal("lookLeft" in shown({}, false, angles), false);
  const { lookLeft = 0, lookRight, lookUp, lookDown = 0 } = shown({}, true, angles);
  assert.ok(lookLeft > 0.99 && lookDown > 0.99);
  assert.deepEqual([lookRight, lookUp], [0, 0]);
});

test("Live Link names and ARKit names are the same names", () => {
  assert.equal(arkitName("JawOpen"), "jawOpen");
  assert.equal(arkitName("jawOpen"), "jawOpen");
});
