import assert from "node:assert/strict";
import { test } from "node:test";
import { QualityLadder } from "../src/stage/quality";

function measured(ladder: QualityLadder, pictures: number, ms: number): string {
  for (let i = 0; i < pictures; i++) ladder.measure(ms);
  return ladder.rung;
}

test("a fast machine keeps everything", () => {
  assert.equal(measured(new QualityLadder(), 1000, 16.7), "full");
});

test("a slow machine steps down once, and again only when that was not enough", () => {
  const ladder = new QualityLadder();
  assert.equal(measured(ladder, 42, 45), "light");
  assert.equal(measured(ladder, 100, 20), "light");
  assert.equal(measured(ladder, 100, 45), "lite");
});

test("a hopeless machine goes straight to the last rung", () => {
  assert.equal(measured(new QualityLadder(), 6, 400), "lite");
});

test("one long picture among fast ones changes nothing", () => {
  const ladder = new QualityLadder();
  for (let i = 0; i < 200; i++) ladder.measure(i % 20 === 0 ? 900 : 16);
  assert.equal(ladder.rung, "full");
});
