import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Caption, CaptionSchema, PerformingSchema } from "../src/events/stage_pb";
import { Emotion, Gesture } from "../src/events/text_pb";
import { PLAIN, Program } from "../src/stage/program";

const RATE = 24_000;

function caption(text: string, start: number, end: number, epoch = 1): Caption {
  return create(CaptionSchema, { text, epoch: BigInt(epoch), startSample: BigInt(start), endSample: BigInt(end) });
}

function performing(turnId: string, start: number, speaking = true) {
  return create(PerformingSchema, { turn: { turnId }, startSample: BigInt(start), speaking });
}

test("a caption is read while it is spoken, and a moment longer when nothing follows", () => {
  const program = new Program(RATE);
  program.caption(caption("你好", RATE, 2 * RATE));
  assert.equal(program.words(RATE - 1), undefined);
  assert.deepEqual(program.words(1.5 * RATE), { text: "你好", spoken: 0.5, ...PLAIN });
  assert.equal(program.words(3 * RATE)?.text, "你好");
  assert.equal(program.words(4 * RATE), undefined);
});

test("words come with how they are acted", () => {
  const program = new Program(RATE);
  const acting = { emotion: Emotion.SHY, intensity: 0.5, gesture: Gesture.WAVE };
  program.caption(create(CaptionSchema, { text: "嗨", startSample: 0n, endSample: BigInt(RATE), ...acting }));
  assert.deepEqual(program.words(0), { text: "嗨", spoken: 0, ...acting });
});

test("the next caption takes over at its sample", () => {
  const program = new Program(RATE);
  program.caption(caption("two", 2 * RATE, 3 * RATE));
  program.caption(caption("one", RATE, 2 * RATE));
  assert.equal(program.words(1.9 * RATE)?.text, "one");
  assert.equal(program.words(2 * RATE)?.text, "two");
});

test("captions of dead epochs are forgotten, what was being read ends", () => {
  const program = new Program(RATE);
  program.caption(caption("said", 0, 2 * RATE));
  program.caption(caption("never said", 2 * RATE, 3 * RATE));
  program.caption(caption("new", 4 * RATE, 5 * RATE, 2));
  program.stop(2, RATE);
  assert.equal(program.words(1.1 * RATE)?.spoken, 1);
  assert.equal(program.words(2.5 * RATE)?.text, "said");
  assert.equal(program.words(3 * RATE), undefined);
  assert.equal(program.words(4 * RATE)?.text, "new");
});

test("the turn changes when its first sample is heard, not when it is announced", () => {
  const program = new Program(RATE);
  program.performing(performing("a", 0));
  program.performing(performing("b", RATE));
  assert.equal(program.turn(RATE - 1)?.turnId, "a");
  assert.equal(program.turn(RATE)?.turnId, "b");
  program.performing(performing("b", 2 * RATE, false));
  assert.equal(program.turn(2 * RATE), undefined);
});
