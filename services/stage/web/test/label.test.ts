import assert from "node:assert/strict";
import { test } from "node:test";
import { type Standing, shown } from "../src/stage/label";

const STANDING: Standing = {
  text: "数字人主播 · 内容由AI生成",
  visible: true,
  letters: 60,
  box: { left: 12, top: 60, right: 700, bottom: 140 },
  window: { width: 1080, height: 1920 },
};

test("a label that everybody can read counts as shown", () => {
  assert.ok(shown(STANDING));
});

test("a label that is empty, hidden, too small or outside of the window does not", () => {
  for (const wrong of [
    { text: " " },
    { visible: false },
    { letters: 53 },
    { box: { ...STANDING.box, left: -1 } },
    { box: { ...STANDING.box, bottom: 1921 } },
  ]) {
    assert.ok(!shown({ ...STANDING, ...wrong }));
  }
});
