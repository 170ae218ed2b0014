import assert from "node:assert/strict";
import { test } from "node:test";
import { MediaClock } from "../src/stage/clock";

const RATE = 24_000;

/** A clock that has seen `count` messages, sent every 50 ms, each delayed by `delay(i)` seconds. */
function listened(
  count: number,
  delay: (index: number) => number,
  speaking = false,
): { clock: MediaClock; now: number } {
  const clock = new MediaClock(RATE);
  let now = 0;
  for (let i = 0; i < count; i++) {
    now = 100 + i * 0.05 + delay(i);
    clock.observe(i * 0.05 * RATE, now);
    clock.advance(now, speaking);
  }
  return { clock, now };
}

test("before the first message nothing plays", () => {
  const clock = new MediaClock(RATE);
  assert.equal(clock.sampleAt(5), -1);
  assert.equal(clock.drift, 0);
});

test("a sample plays its lead and the buffer after the least delayed message", () => {
  const { clock } = listened(40, (i) => (i % 5 === 0 ? 0.02 : 0.06));
  assert.ok(Math.abs(clock.timeOf(RATE) - (101 + 0.02 + clock.buffer)) < 0.002);
});

test("time and sample are each other's inverse", () => {
  const { clock } = listened(10, () => 0.01);
  assert.ok(Math.abs(clock.sampleAt(clock.timeOf(12_345)) - 12_345) < 1e-3);
});

test("the lag stands still while she speaks, and glides in a pause", () => {
  const { clock, now } = listened(40, () => 0.05);
  const before = clock.timeOf(0);
  for (let i = 0; i < 100; i++) {
    clock.observe((now + i * 0.05 - 100.01) * RATE, now + i * 0.05);
    clock.advance(now + i * 0.05, true);
  }
  assert.equal(clock.timeOf(0), before);
  assert.ok(clock.drift > 0.03);
  clock.advance(now + 5.1, false);
  assert.ok(clock.timeOf(0) < before);
  assert.ok(before - clock.timeOf(0) <= 0.1 * 0.05 + 0.05 * 0.06, "no faster than it may glide");
});

test("messages that waited in a busy page do not hold the clock back", () => {
  const clock = new MediaClock(RATE);
  clock.observe(0, 13);
  clock.advance(13, true);
  clock.observe(12.9 * RATE, 13.01);
  assert.equal(clock.advance(13.02, true), true, "jumps although she speaks");
  assert.ok(Math.abs(clock.timeOf(12.9 * RATE) - (13.01 + clock.buffer)) < 1e-6);
});

test("drift is what is left once the clock has moved, never more than it jumps over", () => {
  const { clock, now } = listened(10, () => 0.4, true);
  clock.observe((now - 100) * RATE, now);
  assert.ok(Math.abs(clock.drift) < 0.01, "what has only just come has not been answered yet");
  clock.advance(now + 0.01, true);
  assert.ok(Math.abs(clock.drift) < 0.25);
  assert.ok(Math.abs(clock.timeOf((now - 100) * RATE) - (now + clock.buffer)) < 1e-6, "it has jumped");
});

test("old lags are forgotten, so that a clock that runs slow is followed", () => {
  const { clock } = listened(2000, (i) => i * 0.05 * 200e-6);
  assert.ok(Math.abs(clock.drift) < 0.005);
});

test("late sound postpones everything, but only as far as the buffer may grow", () => {
  const { clock } = listened(10, () => 0);
  const before = clock.timeOf(0);
  assert.equal(clock.postpone(0.2), 0.2);
  assert.ok(Math.abs(clock.timeOf(0) - before - 0.2) < 1e-9);
  assert.ok(clock.postpone(9) < 0.3);
  assert.equal(clock.postpone(9), 0);
});

test("a grown buffer is given back in pauses", () => {
  const { clock, now } = listened(10, () => 0);
  clock.postpone(0.1);
  const grown = clock.buffer;
  clock.advance(now, false);
  clock.advance(now + 10, false);
  assert.ok(clock.buffer < grown - 0.04);
});

test("an exchange of the local clock changes nothing that is heard", () => {
  const { clock, now } = listened(10, () => 0.02);
  const sample = clock.sampleAt(now);
  clock.rebase(-97);
  assert.ok(Math.abs(clock.sampleAt(now - 97) - sample) < 1e-3);
  assert.ok(Math.abs(clock.drift) < 1e-9);
});
