import assert from "node:assert/strict";
import { test } from "node:test";
import { MediaClock } from "../src/stage/clock";
import { type AudioGraph, decodePcm, type VoiceChunk, VoicePlayer } from "../src/stage/voice";

const RATE = 24_000;

interface Played {
  start: number;
  skip: number;
  stop: number | undefined;
  length: number;
  gain: FakeGain;
}

interface FakeGain {
  ramps: [value: number, at: number][];
}

/** As much of Web Audio as the player uses; it writes down what it is told. */
class FakeGraph {
  currentTime = 0;
  readonly sampleRate = RATE;
  readonly played: Played[] = [];

  createGain() {
    const ramps: FakeGain["ramps"] = [];
    const gain = {
      setValueAtTime: (value: number, at: number) => ramps.push([value, at]),
      linearRampToValueAtTime: (value: number, at: number) => ramps.push([value, at]),
    };
    return { ramps, gain, connect: () => undefined, disconnect: () => undefined };
  }

  createBuffer(_channels: number, length: number) {
    return { length, copyToChannel: () => undefined };
  }

  createBufferSource() {
    const graph = this;
    let entry: Played | undefined;
    let gain: FakeGain = { ramps: [] };
    return {
      buffer: { length: 0 },
      connect(node: FakeGain) {
        gain = node;
      },
      disconnect: () => undefined,
      start(start: number, skip: number) {
        entry = { start, skip, stop: undefined, length: this.buffer.length, gain };
        graph.played.push(entry);
      },
      stop(at = graph.currentTime) {
        if (entry) entry.stop = at;
      },
    };
  }

  asGraph(): AudioGraph {
    return this as unknown as AudioGraph;
  }
}

function chunk(epoch: number, start: number, length = 2400): VoiceChunk {
  return { epoch, start, samples: new Float32Array(length) };
}

/** A player whose clock plays media sample 0 at local time 10 (less its buffer). */
function playing(): { clock: MediaClock; graph: FakeGraph; player: VoicePlayer; zero: number } {
  const clock = new MediaClock(RATE);
  clock.observe(0, 10);
  const graph = new FakeGraph();
  graph.currentTime = 10;
  const player = new VoicePlayer(clock);
  player.open(graph.asGraph(), {} as AudioNode);
  return { clock, graph, player, zero: clock.timeOf(0) };
}

test("chunks that follow on are scheduled without a gap, on whole samples", () => {
  const { graph, player } = playing();
  for (let i = 0; i < 50; i++) player.add(chunk(1, 1200 + i * 2400), 10);
  graph.played.forEach((piece, i) => {
    assert.ok(Number.isInteger(Math.round(piece.start * RATE * 1e6) / 1e6));
    const before = graph.played[i - 1];
    if (before) assert.ok(Math.abs(before.start + before.length / RATE - piece.start) < 1e-9);
  });
  assert.equal(graph.played.length, 50);
});

test("a stop fades the old epoch within 50 ms, forgets what was to come, and leaves the new epoch alone", () => {
  const { clock, graph, player, zero } = playing();
  player.add(chunk(1, 0, 4800), 10);
  player.add(chunk(1, 4800, 4800), 10);
  player.add(chunk(2, 9600, 4800), 10);
  const now = zero + 0.1;
  graph.currentTime = now;
  const silentAt = player.stop(2, clock.sampleAt(now), 0.2, now);
  assert.ok(silentAt - now <= 0.05 + 1e-9);
  const [sounding, toCome, next] = graph.played;
  assert.equal(sounding?.stop, silentAt);
  assert.deepEqual(sounding?.gain.ramps.at(-1), [0, silentAt]);
  assert.ok(toCome?.stop !== undefined && toCome.stop <= now, "never sounds");
  assert.equal(next?.stop, undefined);
  assert.deepEqual(next?.gain.ramps, []);
});

test("a stop at a sample to come waits for it, less the buffer", () => {
  const { clock, graph, player } = playing();
  player.add(chunk(1, 0, 24_000), 10);
  graph.currentTime = 10;
  const silentAt = player.stop(2, 12_000, 0.05, 10);
  assert.ok(Math.abs(silentAt - (clock.timeOf(12_000) - clock.buffer + 0.05)) < 1e-9);
});

test("nothing of a dead epoch is taken any more", () => {
  const { graph, player } = playing();
  player.stop(5, 0, 0.05, 10);
  assert.equal(player.add(chunk(4, 2400), 10), false);
  assert.equal(player.add(chunk(5, 2400), 10), true);
  assert.equal(graph.played.length, 1);
  assert.equal(player.epoch, 5);
});

test("a late chunk postpones the clock instead of losing words", () => {
  const { clock, graph, player, zero } = playing();
  const now = zero + 0.2;
  graph.currentTime = now;
  assert.equal(player.add(chunk(1, 2400), now), true);
  assert.equal(player.late, 1);
  assert.equal(graph.played[0]?.skip, 0);
  assert.ok((graph.played[0]?.start ?? 0) >= now);
  assert.ok(Math.abs(clock.timeOf(2400) - (graph.played[0]?.start ?? 0)) < 1 / RATE);
});

test("what no postponing can save is cut at its beginning, so that the rest stays in step", () => {
  const { clock, graph, player, zero } = playing();
  const now = zero + 2;
  graph.currentTime = now;
  assert.equal(player.add(chunk(1, 0, 24_000), now), false, "wholly past");
  assert.equal(player.add(chunk(1, 24_000, 24_000), now), true);
  const [piece] = graph.played;
  assert.ok(piece && Math.abs(piece.start - piece.skip - clock.timeOf(24_000)) < 1 / RATE);
});

test("without permission chunks wait, and are joined in the middle when it comes", () => {
  const clock = new MediaClock(RATE);
  clock.observe(0, 10);
  const player = new VoicePlayer(clock);
  player.add(chunk(1, 0, 24_000), 10);
  assert.ok(player.speaking(10.1));
  const graph = new FakeGraph();
  graph.currentTime = clock.timeOf(6000);
  player.open(graph.asGraph(), {} as AudioNode);
  assert.equal(graph.played[0]?.start, Math.round(graph.currentTime * RATE) / RATE);
  assert.ok(Math.abs((graph.played[0]?.skip ?? 0) - 0.25) < 1e-9);
});

test("after a jump of the clock what waits is scheduled anew", () => {
  const { clock, graph, player, zero } = playing();
  player.add(chunk(1, 24_000), 10);
  clock.rebase(1);
  player.realign();
  assert.equal(graph.played.length, 2);
  assert.ok(graph.played[0]?.stop !== undefined);
  assert.ok(Math.abs((graph.played[1]?.start ?? 0) - (zero + 2)) < 1 / RATE);
});

test("no more chunks are held than the queue takes", () => {
  const { graph, player } = playing();
  for (let i = 0; i < 500; i++) player.add(chunk(1, 2400 + i * 2400), 10);
  assert.equal(graph.played.length, 128);
});

test("samples are decoded from little endian, an odd byte is left over", () => {
  const bytes = Uint8Array.of(0xff, 0x00, 0x00, 0x00, 0x80, 0x00, 0x40, 0x01).subarray(1);
  assert.deepEqual([...decodePcm(bytes)], [0, -1, 0.5]);
});
