import type { ConnectionState } from "../room/connection";
import type { Shot } from "./director";
import type { FigureKind } from "./figure";
import type { Quality } from "./quality";
import type { SoundState } from "./sound";

/** What the page is doing right now, to be read by tests and curious people as `window.lydia`. All of it is read-only. */
export interface Probe {
  readonly connection: ConnectionState;
  readonly sound: SoundState;
  /** Root mean square of the last 1,024 samples (43 ms) that left the audio graph; 1 is full scale. */
  readonly energy: number;
  /** ARKit's jawOpen of the pose that was last drawn, 0 to 1. */
  readonly jawOpen: number;
  /** How far the lips of that pose stand apart: jawOpen less mouthClose, at least 0. */
  readonly mouth: number;
  /** Media sample of that pose; -1 before the first. */
  readonly shownSample: number;
  /** How far she moved by herself in that pose, because frames were missing: 0, not at all, to 1. */
  readonly byHerself: number;
  /** Media sample that is heard at this moment; -1 before the first message. */
  readonly heardSample: number;
  /** Highest epoch heard of. */
  readonly epoch: number;
  /** Milliseconds by which the page plays later (+) or earlier (-) than the room's clock, as it sees it now, asks for. */
  readonly driftMs: number;
  /** Unix time in milliseconds at which the voice of the last stopped epoch had faded; null before the first stop. */
  readonly stoppedAtMs: number | null;
  /** Chunks of voice that came after their time. */
  readonly lateChunks: number;
  /** Pictures drawn so far. */
  readonly framesShown: number;
  /** The body on the stage; null until one is there. */
  readonly figure: FigureKind | null;
  /** What that body lacks of what she does: words of face.ts; empty when nothing. */
  readonly missing: readonly string[];
  readonly quality: Quality;
  /** How close the camera is, or is going to be. */
  readonly shot: Shot;
  /** The turn on the stage: its id; "" between turns. */
  readonly turnId: string;
}

/** What the page tells the server about once a second. */
export interface Report {
  readonly played: {
    readonly epoch: number;
    readonly sample: number;
    readonly stopped_at_ms: number | null;
    readonly drift_ms: number;
  };
  /** Whether the AI label is to be seen as the rules ask. */
  readonly label_shown: boolean;
}

declare global {
  interface Window {
    lydia?: Probe;
  }
}
