import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Board } from "../src/console/board";
import { type Decision, Decision_Outcome, DecisionSchema, Lane } from "../src/events/turn_pb";

let made = 0;

function decision(eventId: string, outcome: Decision_Outcome, score = 0, lane = Lane.CHAT): Decision {
  return create(DecisionSchema, { decisionId: `d${made++}`, eventId, outcome, score, lane });
}

const waiting = (board: Board) => board.waiting.map(({ eventId }) => eventId);

test("paid events come before chat, and the best score first", () => {
  const board = new Board();
  board.take(decision("low", Decision_Outcome.WAITING, 1));
  board.take(decision("high", Decision_Outcome.WAITING, 2));
  board.take(decision("paid", Decision_Outcome.WAITING, 0, Lane.PAID));
  assert.deepEqual(waiting(board), ["paid", "high", "low"]);
});

test("a final decision takes an event out of the queue, newest first", () => {
  const board = new Board();
  board.take(decision("a", Decision_Outcome.WAITING));
  board.take(decision("b", Decision_Outcome.WAITING));
  board.take(decision("a", Decision_Outcome.DROPPED));
  board.take(decision("b", Decision_Outcome.CHOSEN));
  assert.deepEqual(waiting(board), []);
  assert.deepEqual(
    board.recent.map(({ eventId }) => eventId),
    ["b", "a"],
  );
});

test("a decision that comes twice counts once", () => {
  const board = new Board();
  const chosen = decision("a", Decision_Outcome.CHOSEN);
  board.replace([], [chosen]);
  board.take(chosen);
  assert.equal(board.recent.length, 1);
});

test("both lists are bounded", () => {
  const board = new Board();
  for (let i = 0; i < 1000; i++) {
    board.take(decision(`w${i}`, Decision_Outcome.WAITING, i));
    board.take(decision(`r${i}`, Decision_Outcome.DROPPED));
  }
  assert.equal(board.waiting.length, 200);
  assert.equal(board.waiting[0]?.eventId, "w999");
  assert.equal(board.recent.length, 60);
});
