import {
  BoxGeometry,
  CapsuleGeometry,
  CircleGeometry,
  Group,
  LatheGeometry,
  type Material,
  Mesh,
  MeshStandardMaterial,
  type Object3D,
  SphereGeometry,
  TorusGeometry,
  Vector2,
} from "three";
import { arkitName } from "./face";
import type { Figure } from "./figure";
import {
  HEAD_PITCH,
  HEAD_ROLL,
  HEAD_YAW,
  LEFT_EYE_PITCH,
  LEFT_EYE_YAW,
  type Pose,
  RIGHT_EYE_PITCH,
  RIGHT_EYE_YAW,
} from "./frames";

const SKIN = new MeshStandardMaterial({ color: "#f3cdb9", roughness: 0.55 });
const HAIR = new MeshStandardMaterial({ color: "#2c2440", roughness: 0.45 });
const WHITE = new MeshStandardMaterial({ color: "#fbf7f8", roughness: 0.25 });
const IRIS = new MeshStandardMaterial({ color: "#3b2a2a", roughness: 0.2 });
const LIPS = new MeshStandardMaterial({ color: "#d0706f", roughness: 0.4 });
const MOUTH = new MeshStandardMaterial({ color: "#3a1216", roughness: 0.9 });
const SUIT = new MeshStandardMaterial({ color: "#eef1f8", roughness: 0.6 });
const TRIM = new MeshStandardMaterial({ color: "#30d5ff", emissive: "#1aa7d6", roughness: 0.4 });

/** Radians by which an open lid is turned up from the closed one. */
const LID_OPEN = 1.25;

/** A simple head and shoulders, made here: the last rung, so that she is never invisible. */
export class BuiltinHead implements Figure {
  readonly kind = "head";
  readonly object = new Group();
  readonly top = 1.63;
  readonly waist = 1;
  readonly missing = [];
  readonly #head = new Group();
  readonly #eyes: [Object3D, lid: Object3D, yaw: number, pitch: number, blink: string][];
  readonly #brows: [Object3D, string][];
  readonly #lips: Mesh;
  readonly #mouth: Mesh;
  readonly #shapes: readonly string[];

  /** @param names of the face values, in their order */
  constructor(names: readonly string[]) {
    this.#shapes = names.map(arkitName);
    const head = part(this.#head, new SphereGeometry(0.1, 48, 32), SKIN, 0, 0.11, 0);
    head.scale.set(0.86, 1.12, 0.95);
    const hair = part(this.#head, new SphereGeometry(0.112, 48, 32, 0, 7, 0, 1.5), HAIR, 0, 0.125, -0.012);
    hair.rotation.x = -0.42;
    part(this.#head, new CapsuleGeometry(0.1, 0.12, 12, 32), HAIR, 0, 0.07, -0.055).scale.set(1.02, 1, 0.7);
    part(this.#head, new SphereGeometry(0.014, 16, 12), SKIN, 0, 0.085, 0.094).scale.set(0.8, 1, 1);
    this.#eyes = [this.#eye(1, LEFT_EYE_YAW, LEFT_EYE_PITCH), this.#eye(-1, RIGHT_EYE_YAW, RIGHT_EYE_PITCH)];
    this.#brows = [this.#brow(1), this.#brow(-1)];
    this.#lips = part(this.#head, new SphereGeometry(0.021, 32, 16), LIPS, 0, 0.048, 0.0905);
    this.#mouth = part(this.#head, new CircleGeometry(0.0165, 32), MOUTH, 0, 0.048, 0.0955);
    this.#head.position.y = 1.38;
    part(this.object, new CapsuleGeometry(0.042, 0.1, 8, 24), SKIN, 0, 1.37, -0.01);
    const outline = [0.205, 0.2, 0.17, 0.165, 0.19, 0.2, 0.13, 0.06].map((x, i) => new Vector2(x, 0.95 + i * 0.058));
    part(this.object, new LatheGeometry(outline, 48), SUIT, 0, 0, -0.02).scale.set(1, 1, 0.62);
    part(this.object, new TorusGeometry(0.062, 0.006, 8, 48), TRIM, 0, 1.357, -0.018).rotation.x = Math.PI / 2;
    this.object.add(this.#head);
  }

  pose({ face }: Pose): void {
    const of = (name: string) => face[this.#shapes.indexOf(name)] ?? 0;
    const apart = Math.max(0, of("jawOpen") - of("mouthClose"));
    const wide = 1 + 0.35 * of("mouthStretchLeft") + 0.3 * of("mouthSmileLeft") - 0.5 * of("mouthPucker");
    this.#lips.scale.set(wide, 0.3 + 1.5 * apart, 0.2);
    this.#mouth.scale.set(wide, Math.max(0.03, 1.7 * apart), 1);
    for (const [eye, lid, yaw, pitch, blink] of this.#eyes) {
      eye.rotation.set(-(face[pitch] ?? 0), face[yaw] ?? 0, 0, "YXZ");
      lid.rotation.x = -LID_OPEN * (1 - of(blink));
    }
    for (const [brow, outer] of this.#brows) {
      brow.position.y = 0.148 + 0.012 * (of("browInnerUp") + of(outer));
    }
    this.#head.rotation.set(-(face[HEAD_PITCH] ?? 0), face[HEAD_YAW] ?? 0, -(face[HEAD_ROLL] ?? 0), "YXZ");
  }

  dispose(): void {
    this.object.traverse((object) => {
      if (object instanceof Mesh) object.geometry.dispose();
    });
  }

  #eye(side: 1 | -1, yaw: number, pitch: number): [Object3D, Object3D, number, number, string] {
    const socket = new Group();
    socket.position.set(side * 0.035, 0.115, 0.072);
    const eye = new Group();
    part(eye, new SphereGeometry(0.018, 24, 16), WHITE, 0, 0, 0);
    part(eye, new SphereGeometry(0.0105, 24, 16), IRIS, 0, 0, 0.0105);
    part(eye, new SphereGeometry(0.0025, 12, 8), WHITE, 0.003, 0.004, 0.0202);
    const lid = part(socket, new SphereGeometry(0.0215, 24, 16, 0, Math.PI, 0, 1.9), SKIN, 0, 0, 0);
    socket.add(eye);
    this.#head.add(socket);
    return [eye, lid, yaw, pitch, side === 1 ? "eyeBlinkLeft" : "eyeBlinkRight"];
  }

  #brow(side: 1 | -1): [Object3D, string] {
    const brow = part(this.#head, new BoxGeometry(0.034, 0.0045, 0.006), HAIR, side * 0.036, 0.148, 0.088);
    brow.rotation.z = -side * 0.04;
    brow.rotation.y = side * 0.35;
    return [brow, side === 1 ? "browOuterUpLeft" : "browOuterUpRight"];
  }
}

function part(parent: Object3D, geometry: Mesh["geometry"], material: Material, x: number, y: number, z: number): Mesh {
  const made = new Mesh(geometry, material);
  made.position.set(x, y, z);
  parent.add(made);
  return made;
}
