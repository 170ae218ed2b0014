import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { BadWorld, loadWorld, NIGHT, parseWorld } from "../src/stage/world";

/** Night's data with the value at `path` replaced; undefined takes it away. */
function night(path: (string | number)[], value: unknown): unknown {
  const data = structuredClone(NIGHT) as unknown as Record<string | number, unknown>;
  let place = data;
  for (const step of path.slice(0, -1)) place = place[step] as Record<string | number, unknown>;
  place[path.at(-1) ?? ""] = value;
  return data;
}

test("every scene of the folder can be shown", () => {
  const files = readdirSync("scenes").filter((name) => name.endsWith(".json"));
  for (const name of ["night.json", "dawn.json", "studio.json"]) assert.ok(files.includes(name), name);
  for (const name of files) parseWorld(JSON.parse(readFileSync(`scenes/${name}`, "utf8")));
});

test("a broken scene is refused with the place and what is expected there", () => {
  const broken: [unknown, RegExp][] = [
    [null, /^the file: an object/],
    [[], /^the file: an object/],
    [night(["light"], undefined), /^light: an object/],
    [night(["light", "key"], "1"), /^light\.key: a number from 0 to 3/],
    [night(["light", "key"], Number.NaN), /^light\.key: a number/],
    [night(["light", "warmth"], -2), /^light\.warmth: a number from -1 to 1/],
    [night(["hour"], 25), /^hour: a number from 0 to 24/],
    [night(["sky"], [[0, "#000000"]]), /^sky: a list of 2 to 16/],
    [night(["sky", 1, 0], 2), /^sky\[1\]\[0\]: a number from 0 to 1/],
    [night(["sky", 2, 0], 0.1), /^sky\[2\]\[0\]: a number from 0\.28 to 1/],
    [night(["sky", 0, 1], "blue"), /^sky\[0\]\[1\]: a colour/],
    [night(["city", "far"], ["#000000"]), /^city\.far: a list of 2/],
    [night(["city"], undefined), /^city: an object/],
    [night(["fog", "colour"], "#fff"), /^fog\.colour: a colour/],
    [night(["rings"], ["#000000", "#000000", "#000000"]), /^rings: a list of 0 to 2/],
  ];
  for (const [data, message] of broken) {
    assert.throws(
      () => parseWorld(data),
      (reason) => reason instanceof BadWorld && message.test(reason.message),
      String(message),
    );
  }
});

test("a name that could lead elsewhere is never fetched", async () => {
  for (const name of ["../stage", "a/b", "", "A", "night.json", "%2e%2e"]) {
    await assert.rejects(loadWorld(name), (reason) => reason instanceof BadWorld && /a name of/.test(reason.message));
  }
});
