import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Emotion, Gesture } from "../src/events/text_pb";
import { TurnSchema } from "../src/events/turn_pb";
import { type Cue, cueOf, Director, HOLD_S, MOVE_S, SPANS } from "../src/stage/director";
import { PLAIN } from "../src/stage/program";

const TALK: Cue = { intimate: false, thanked: 0, gesture: Gesture.UNSPECIFIED, big: false, tender: 0 };
const FRAME_S = 1 / 60;

/** Films from second `from` to second `to`, 60 pictures a second; returns the spans. */
function film(director: Director, from: number, to: number, cue: Partial<Cue>): number[] {
  const count = Math.round((to - from) / FRAME_S);
  return Array.from({ length: count }, (_, i) => director.direct(from + i * FRAME_S, { ...TALK, ...cue }, false));
}

function chat(...texts: string[]) {
  const events = texts.map((text) => ({ kind: { case: "chat" as const, value: { text } } }));
  return create(TurnSchema, { cause: { case: "audience", value: { events } } });
}

test("medium is the rule, and as long as nothing happens the camera stands still", () => {
  assert.deepEqual(new Set(film(new Director(), 0, 30, {})), new Set([SPANS.medium]));
});

test("each reason leads to its shot", () => {
  const reasons: [Partial<Cue>, string][] = [
    [{ big: true }, "wide"],
    [{ thanked: 10_000 }, "wide"],
    [{ thanked: 9_999 }, "medium"],
    [{ tender: 0.4 }, "close"],
    [{ intimate: true }, "close"],
    [{ big: true, intimate: true }, "wide"],
  ];
  for (const [cue, shot] of reasons) {
    const director = new Director();
    film(director, 0, 1, cue);
    assert.equal(director.shot, shot, JSON.stringify(cue));
  }
});

test("no move is a cut: it takes its time, eases in and out, and ends exactly", () => {
  const spans = film(new Director(), 0, 5, { big: true });
  const steps = spans.slice(1).map((span, i) => span - (spans[i] ?? 0));
  assert.ok(steps.every((step) => step >= 0));
  // An even move would make this much of the way in one picture; the eased one at most 15/8 of it.
  const even = ((SPANS.wide - SPANS.medium) * FRAME_S) / MOVE_S;
  assert.ok(Math.max(...steps) < 1.9 * even);
  const jerks = steps.slice(1).map((step, i) => Math.abs(step - (steps[i] ?? 0)));
  assert.ok(Math.max(...jerks) < 0.1 * even);
  const moving = steps.filter((step) => step > 0).length * FRAME_S;
  assert.ok(moving > 1.5 && moving <= MOVE_S + FRAME_S, String(moving));
  assert.equal(spans.at(-1), SPANS.wide);
});

test("whatever she does, a move is never broken off and shots are held", () => {
  const director = new Director();
  const began: number[] = [];
  let before = director.shot;
  let last: number = SPANS.medium;
  let largest = 0;
  // A fidget: another reason every third of a second, for a minute.
  for (let picture = 0; picture < 3600; picture++) {
    const third = Math.floor(picture / 20) % 3;
    const cue = { ...TALK, big: third === 1, tender: third === 2 ? 0.5 : 0 };
    const span = director.direct(picture * FRAME_S, cue, false);
    largest = Math.max(largest, Math.abs(span - last));
    last = span;
    if (director.shot !== before) began.push(picture * FRAME_S);
    before = director.shot;
  }
  const gaps = began.slice(1).map((at, i) => at - (began[i] ?? 0));
  assert.ok(gaps.length > 10);
  assert.ok(Math.min(...gaps) >= MOVE_S - 1e-6);
  assert.ok(gaps.filter((gap) => gap < HOLD_S - 1e-6).length <= gaps.length / 2 + 1, "only gestures come earlier");
  assert.ok(largest < (1.9 * (SPANS.wide - SPANS.close) * FRAME_S) / MOVE_S);
});

test("words at the border of tenderness do not make the camera waver", () => {
  const director = new Director();
  film(director, 0, 5, { tender: 0.36 });
  film(director, 5, 15, { tender: 0.25 });
  assert.equal(director.shot, "close");
  film(director, 15, 16, { tender: 0.1 });
  assert.equal(director.shot, "medium");
});

test("who wants no motion gets none, also in the middle of a move", () => {
  const director = new Director();
  film(director, 0, 1, { big: true });
  for (let at = 1; at < 10; at += 0.5) {
    assert.equal(
      director.direct(at, { ...TALK, intimate: true, thanked: 1e6, big: true, tender: 1 }, true),
      SPANS.medium,
    );
  }
  assert.equal(director.shot, "medium");
});

test("the same show is filmed the same way", () => {
  const show = () => {
    const director = new Director();
    return [film(director, 0, 3, { big: true }), film(director, 3, 12, {}), film(director, 12, 20, { tender: 0.6 })];
  };
  assert.deepEqual(show(), show());
});

test("a word or two from one viewer is intimate, whole questions, crowds and gifts are not", () => {
  for (const text of ["晚安", "hi Lydia", "爱你哦", "good night, dear"]) assert.ok(cueOf(chat(text)).intimate, text);
  for (const text of ["你那儿的海还是蓝色的吗？", "What do you eat in 2112?", "???", "hi你好呀宝贝"]) {
    assert.ok(!cueOf(chat(text)).intimate, text);
  }
  assert.ok(!cueOf(chat("晚安", "晚安啦")).intimate);
  assert.deepEqual(cueOf(undefined), TALK);
});

test("the gifts of one turn are counted together", () => {
  const gift = (fen: number) => ({ kind: { case: "gift" as const, value: { count: 1, valueFen: BigInt(fen) } } });
  const events = [gift(8800), gift(1200)];
  assert.equal(cueOf(create(TurnSchema, { cause: { case: "audience", value: { events } } })).thanked, 10_000);
});

test("words that are acted with a big gesture or tenderly say so, whatever her poses are", () => {
  const acted = (acting: Partial<typeof PLAIN>) => cueOf(undefined, { ...PLAIN, ...acting });
  for (const gesture of [Gesture.WAVE, Gesture.CLAP, Gesture.DANCE]) assert.ok(acted({ gesture }).big);
  for (const gesture of [Gesture.NONE, Gesture.HEART, Gesture.THINK, Gesture.NOD, Gesture.BOW])
    assert.ok(!acted({ gesture }).big);
  const tender = (emotion: Emotion, intensity: number) => acted({ emotion, intensity }).tender;
  assert.ok(tender(Emotion.SAD, 0.6) > tender(Emotion.SAD, 0.3));
  assert.ok(tender(Emotion.SHY, 0.6) > 0);
  for (const emotion of [Emotion.JOY, Emotion.SERIOUS, Emotion.NEUTRAL]) assert.equal(tender(emotion, 1), 0);
});
