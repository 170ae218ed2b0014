import type { Object3D } from "three";
import type { Gesture } from "../events/text_pb";
import type { Lack } from "./face";
import type { Pose } from "./frames";

/**
 * Which body is on the stage. "own": the one that the server's settings name. "file": one that the viewer brought.
 * "head": the built-in one.
 */
export type FigureKind = "lydia" | "lydia-lite" | "own" | "file" | "head";

/** A body that can be posed and framed. */
export interface Figure {
  readonly kind: FigureKind;
  /** To be put into the scene: faces +z, stands on y = 0, in metres. */
  readonly object: Object3D;
  /** Heights between which the picture is framed, in metres. */
  readonly top: number;
  readonly waist: number;
  /** What the body lacks of what a performance moves. */
  readonly missing: readonly Lack[];
  /**
   * Shows a pose; `passed` is the time since the last one, in seconds, for hair and clothes. `gesture`: what raised hands
   * are to show.
   */
  pose(pose: Pose, passed: number, gesture?: Gesture): void;
  /** Frees its memory. */
  dispose(): void;
}
