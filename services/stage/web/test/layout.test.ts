import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenLayout } from "../src/stage/layout";

test("the address chooses the layout, and the page with everything is the rule", () => {
  assert.deepEqual(chosenLayout(""), { layout: "page" });
  assert.deepEqual(chosenLayout("?layout=vertical"), { layout: "vertical" });
  assert.deepEqual(chosenLayout("?scene=dawn&layout=bare"), { layout: "bare" });
});

test("a layout that is none leaves the page as it is and is named", () => {
  for (const asked of ["Vertical", "constructor", ""]) {
    assert.deepEqual(chosenLayout(`?layout=${asked}`), { layout: "page", unknown: asked });
  }
});
