import "./browser";
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AudienceEventSchema } from "../src/events/audience_pb";
import { type Size, sizeOf } from "../src/stage/gifts";

test("the size of an effect goes by value: from 10 yuan on it is more, from 100 yuan on a shower", () => {
  const sizes: [number, Size][] = [
    [0, "small"],
    [999, "small"],
    [1000, "medium"],
    [9999, "medium"],
    [10_000, "big"],
    [1_000_000, "big"],
  ];
  for (const [fen, size] of sizes) {
    const valueFen = BigInt(fen);
    const gift = create(AudienceEventSchema, { kind: { case: "gift", value: { count: 1, valueFen } } });
    const superChat = create(AudienceEventSchema, { kind: { case: "superChat", value: { text: "hi", valueFen } } });
    assert.equal(sizeOf(gift), size, String(fen));
    assert.equal(sizeOf(superChat), size, String(fen));
  }
});

test("what is no gift has no effect", () => {
  assert.equal(sizeOf(create(AudienceEventSchema, { kind: { case: "chat", value: { text: "100" } } })), undefined);
  assert.equal(sizeOf(create(AudienceEventSchema, {})), undefined);
});
