import assert from "node:assert/strict";
import { test } from "node:test";
import { firstRung, QualityLadder } from "../src/stage/quality";

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

test("a machine without a graphics card is not tried with what it cannot draw", () => {
  for (const name of [
    "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)",
    "llvmpipe (LLVM 19.1.7, 256 bits)",
    "ANGLE (Microsoft, Microsoft Basic Render Driver (0x0000008C) Direct3D11 vs_5_0 ps_5_0, D3D11)",
    "Apple Software Renderer",
  ]) {
    assert.equal(new QualityLadder(firstRung(name)).rung, "lite", name);
  }
});

test("graphics cards, and browsers that do not tell, are measured", () => {
  for (const name of ["", "Apple M2", "Adreno (TM) 650", "ANGLE (NVIDIA, NVIDIA GeForce GTX 1050 Direct3D11, D3D11)"]) {
    assert.equal(firstRung(name), "full", name);
  }
});
