import assert from "node:assert/strict";
import { test } from "node:test";
import { retryDelay } from "../src/room/connection";

test("waits double up to eight seconds, with a random half", () => {
  assert.equal(retryDelay(0, 0), 250);
  assert.equal(retryDelay(0, 1), 500);
  assert.equal(retryDelay(3, 1), 4000);
  assert.equal(retryDelay(30, 1), 8000);
  assert.equal(retryDelay(30, 0), 4000);
});
