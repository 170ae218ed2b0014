import type { Joint } from "../src/events/motion_pb";
import type { Gesture } from "../src/events/text_pb";
import type { Figure } from "../src/stage/figure";
import { FACE_VALUES } from "../src/stage/frames";
import type { Quality } from "../src/stage/quality";
import { StageScene } from "../src/stage/scene";
import { loadVrm } from "../src/stage/vrm_figure";
import { NIGHT } from "../src/stage/world";

/** One picture of her. */
interface Shot {
  /** [61] values and [joints × 4] rotations, as a frame of a performance has them. */
  readonly face: readonly number[];
  readonly joints: readonly number[];
  /** What her hands show, as far as the arms are raised. */
  readonly gesture: Gesture;
  /** How far she is turned to her left, in radians. */
  readonly yaw: number;
  /** Height of the picture below the top of her head; 1 is down to the waist. */
  readonly span: number;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}

/** The stage's own figure and light as a photographer's studio: stills of any pose, without a room and its time. */
class Studio {
  readonly #canvas = document.body.appendChild(document.createElement("canvas"));
  readonly #scene = new StageScene(this.#canvas, NIGHT, true);
  #figure: Figure | undefined;

  /** @param names of the face values, @param joints that a pose moves */
  async dress(url: string, names: readonly string[], joints: readonly Joint[], quality: Quality): Promise<void> {
    const file = await (await fetch(url)).arrayBuffer();
    this.#scene.quality = quality;
    this.#figure = await loadVrm(file, "lydia", names, joints);
    this.#scene.figure = this.#figure;
  }

  /** A PNG, as a data address, on a transparent ground. Her hair has come to rest. */
  take({ face, joints, gesture, yaw, span, width, height }: Shot): string {
    const figure = this.#figure;
    if (!figure || face.length !== FACE_VALUES) throw new Error("nobody is there, or the face is none");
    figure.object.rotation.y = yaw;
    figure.object.updateMatrixWorld(true);
    const pose = { face: Float32Array.from(face), joints: Float32Array.from(joints) };
    for (let step = 0; step < SETTLING; step++) figure.pose(pose, 1 / 60, gesture);
    this.#scene.span = span;
    this.#scene.resize(width, height, { x: 0, y: height * MARGIN, width, height: height * (1 - MARGIN) });
    this.#scene.render(0);
    return this.#canvas.toDataURL("image/png");
  }
}

/** Steps of a sixtieth of a second after which hair hangs still. */
const SETTLING = 90;
/** Free height above her head. */
const MARGIN = 0.05;

const studio = new Studio();
Object.assign(window, { studio });
