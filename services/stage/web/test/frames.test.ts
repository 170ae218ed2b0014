import assert from "node:assert/strict";
import { test } from "node:test";
import { FACE_VALUES, FrameBuffer, restPose } from "../src/stage/frames";

const STEP = 400;

/** Faces whose first value counts up from `from`. */
function faces(count: number, from: number): Float32Array {
  const face = new Float32Array(count * FACE_VALUES);
  for (let i = 0; i < count; i++) face[i * FACE_VALUES] = from + i;
  return face;
}

function first(buffer: FrameBuffer, sample: number): number | undefined {
  const pose = restPose(0);
  return buffer.read(sample, pose) ? pose.face[0] : undefined;
}

const none = new Float32Array(0);

test("a frame is shown at its sample, and blended between two samples", () => {
  const buffer = new FrameBuffer(STEP, 0, 60);
  buffer.put(4000, 1, faces(3, 1), none);
  assert.equal(first(buffer, 4000), 1);
  assert.equal(first(buffer, 4400), 2);
  assert.equal(first(buffer, 4500), 2.25);
  assert.equal(buffer.newest, 4800);
});

test("frames off the grid are blended exactly too", () => {
  const buffer = new FrameBuffer(STEP, 0, 60);
  buffer.put(4150, 1, faces(3, 1), none);
  assert.equal(first(buffer, 4250), 1.25);
  assert.equal(first(buffer, 4650), 2.25);
});

test("the frame at the edge holds for one step, then there is nothing", () => {
  const buffer = new FrameBuffer(STEP, 0, 60);
  buffer.put(4000, 1, faces(1, 7), none);
  assert.equal(first(buffer, 4399), 7);
  assert.equal(first(buffer, 3601), 7);
  assert.equal(first(buffer, 4401), undefined);
  assert.equal(first(buffer, -1), undefined);
});

test("a later message replaces what an earlier one said of the same samples", () => {
  const buffer = new FrameBuffer(STEP, 0, 60);
  buffer.put(4000, 1, faces(4, 1), none);
  buffer.put(4800, 2, faces(2, 50), none);
  assert.equal(first(buffer, 4400), 2);
  assert.equal(first(buffer, 4800), 50);
});

test("the ring keeps the newest frames", () => {
  const buffer = new FrameBuffer(STEP, 0, 10);
  buffer.put(0, 1, faces(25, 0), none);
  assert.equal(first(buffer, 24 * STEP), 24);
  assert.equal(first(buffer, 10 * STEP), undefined);
});

test("frames of dead epochs are forgotten from the stop on", () => {
  const buffer = new FrameBuffer(STEP, 0, 60);
  buffer.put(0, 1, faces(10, 0), none);
  buffer.put(4000, 2, faces(2, 90), none);
  buffer.drop(2, 1200);
  assert.equal(first(buffer, 1200), 3);
  assert.equal(first(buffer, 2800), undefined);
  assert.equal(first(buffer, 4000), 90);
  assert.equal(buffer.newest, 4400);
});

test("rotations are blended on the short way and stay unit", () => {
  const buffer = new FrameBuffer(STEP, 1, 60);
  const half = Math.SQRT1_2;
  // The second is the same quarter turn written with the opposite sign.
  buffer.put(0, 1, new Float32Array(2 * FACE_VALUES), Float32Array.of(0, 0, 0, 1, 0, 0, -half, -half));
  const pose = restPose(1);
  assert.ok(buffer.read(STEP / 2, pose));
  const [x = 0, y = 0, z = 0, w = 0] = pose.joints;
  assert.ok(Math.abs(Math.hypot(x, y, z, w) - 1) < 1e-6);
  assert.ok(Math.abs(2 * Math.acos(w) - Math.PI / 4) < 1e-3 && z > 0);
});

test("a message whose parts do not fit each other is refused whole", () => {
  const buffer = new FrameBuffer(STEP, 2, 60);
  assert.equal(buffer.put(0, 1, faces(2, 1), new Float32Array(8)), 0);
  assert.equal(buffer.put(0, 1, new Float32Array(FACE_VALUES + 1), new Float32Array(8)), 0);
  assert.equal(buffer.newest, -1);
});
