import "./browser";
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Decision_Outcome, Decision_Reason, DecisionSchema, Lane } from "../src/events/turn_pb";
import { Waiting } from "../src/stage/waiting";

function decision(eventId: string, name: string, score: number, outcome = Decision_Outcome.WAITING, lane = Lane.CHAT) {
  const event = { eventId, viewer: { id: `id of ${name}`, name } };
  return create(DecisionSchema, { eventId, outcome, lane, score, event });
}

test("who paid comes first, in the order of paying, then the best scores", () => {
  const waiting = new Waiting();
  waiting.decided(decision("1", "low", 1));
  waiting.decided(decision("2", "paid first", 1, Decision_Outcome.WAITING, Lane.PAID));
  waiting.decided(decision("3", "high", 3));
  waiting.decided(decision("4", "paid later", 9, Decision_Outcome.WAITING, Lane.PAID));
  assert.deepEqual(waiting.viewers, ["paid first", "paid later", "high", "low"]);
});

test("who is answered, merged or dropped waits no longer", () => {
  for (const outcome of [Decision_Outcome.CHOSEN, Decision_Outcome.MERGED, Decision_Outcome.DROPPED]) {
    const waiting = new Waiting();
    waiting.decided(decision("1", "Mei", 1));
    waiting.decided(decision("2", "Tom", 2));
    waiting.decided(decision("2", "Tom", 2, outcome));
    assert.deepEqual(waiting.viewers, ["Mei"]);
  }
});

test("a viewer is named once, and two of one name are two", () => {
  const waiting = new Waiting();
  waiting.decided(decision("1", "Mei", 1));
  waiting.decided(decision("2", "Mei", 2));
  assert.deepEqual(waiting.viewers, ["Mei"]);
  const other = decision("3", "Mei", 3);
  waiting.decided({ ...other, event: { ...other.event, viewer: { ...other.event?.viewer, id: "other" } } as never });
  assert.deepEqual(waiting.viewers, ["Mei", "Mei"]);
});

test("nobody is named whose words were refused, and the memory is bounded", () => {
  const waiting = new Waiting();
  waiting.decided({ ...decision("1", "rude", 9), reason: Decision_Reason.MODERATED });
  assert.deepEqual(waiting.viewers, []);
  for (let i = 0; i < 1000; i++) waiting.decided(decision(`e${i}`, `viewer ${i}`, i));
  assert.equal(waiting.viewers.length, 200);
  assert.equal(waiting.viewers[0], "viewer 999");
  waiting.clear();
  assert.deepEqual(waiting.viewers, []);
});
