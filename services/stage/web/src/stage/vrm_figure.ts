import {
  type VRM,
  type VRMHumanBoneName,
  VRMLoaderPlugin,
  VRMLookAtBoneApplier,
  VRMLookAtExpressionApplier,
  VRMUtils,
} from "@pixiv/three-vrm";
import { Box3, Euler, MathUtils, Mesh, type Object3D, Quaternion } from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { Joint } from "../events/motion_pb";
import { Gesture } from "../events/text_pb";
import { arkitName, type FaceDriver, faceDriver, type Lack } from "./face";
import type { Figure, FigureKind } from "./figure";
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
import { Hands } from "./hands";
import { lightOwnBody } from "./own_body";
import { checkVrm, Refused } from "./vrm_file";

/** Where a picture from head to waist ends, above the hips. Metres. */
const WAIST_ABOVE_HIPS = 0.06;

const BONES: Readonly<Record<Joint, VRMHumanBoneName | undefined>> = {
  [Joint.UNSPECIFIED]: undefined,
  [Joint.HIPS]: "hips",
  [Joint.SPINE]: "spine",
  [Joint.CHEST]: "chest",
  [Joint.UPPER_CHEST]: "upperChest",
  [Joint.NECK]: "neck",
  [Joint.HEAD]: "head",
  [Joint.LEFT_SHOULDER]: "leftShoulder",
  [Joint.LEFT_UPPER_ARM]: "leftUpperArm",
  [Joint.LEFT_LOWER_ARM]: "leftLowerArm",
  [Joint.LEFT_HAND]: "leftHand",
  [Joint.RIGHT_SHOULDER]: "rightShoulder",
  [Joint.RIGHT_UPPER_ARM]: "rightUpperArm",
  [Joint.RIGHT_LOWER_ARM]: "rightLowerArm",
  [Joint.RIGHT_HAND]: "rightHand",
};

/** Who turns for a joint that a model does not have. */
const STAND_INS: Readonly<Partial<Record<Joint, Joint>>> = {
  [Joint.CHEST]: Joint.SPINE,
  [Joint.UPPER_CHEST]: Joint.CHEST,
  [Joint.NECK]: Joint.HEAD,
  [Joint.LEFT_SHOULDER]: Joint.LEFT_UPPER_ARM,
  [Joint.RIGHT_SHOULDER]: Joint.RIGHT_UPPER_ARM,
};
/** How far a jaw bone turns when the jaw is open, in radians. */
const JAW_TURN = 0.35;

/**
 * Loads a VRM model, version 1.0 or 0.x.
 * @param names of the face values, @param joints that a pose moves, parents before children, both in their order
 * Throws Refused for other files.
 */
export async function loadVrm(
  file: ArrayBuffer,
  kind: FigureKind,
  names: readonly string[],
  joints: readonly Joint[],
): Promise<Figure> {
  checkVrm(file);
  const loader = new GLTFLoader().register((parser) => new VRMLoaderPlugin(parser));
  const gltf = await loader.parseAsync(file, "").catch((reason: unknown) => {
    throw new Refused("broken", reason instanceof Error ? reason.message : String(reason));
  });
  const vrm = gltf.userData["vrm"] as VRM | undefined;
  if (!vrm) throw new Refused("broken", "its VRM part is of no known version");
  VRMUtils.removeUnnecessaryVertices(vrm.scene);
  VRMUtils.rotateVRM0(vrm);
  vrm.scene.updateMatrixWorld(true);
  // Where hair and clothes hang was noted before the turn.
  vrm.springBoneManager?.reset();
  return new VrmFigure(vrm, kind, names, joints);
}

class VrmFigure implements Figure {
  readonly kind: FigureKind;
  readonly object: Object3D;
  readonly top: number;
  readonly waist: number;
  readonly missing: readonly Lack[];
  readonly #vrm: VRM;
  readonly #face: FaceDriver;
  /** Bones, each with the places of the joints that turn it, one after the other. */
  readonly #bones: ReadonlyMap<Object3D, readonly number[]>;
  readonly #hands: Hands;
  readonly #head: Object3D | null;
  readonly #jaw: Object3D | null;
  readonly #mouth: readonly [open: number, close: number];
  readonly #eyes: readonly Eye[];
  /** VRM 0 models face the other way: rotations turn about x and z the other way round. */
  readonly #flip: 1 | -1;
  readonly #angle = new Euler(0, 0, 0, "YXZ");
  readonly #rotation = new Quaternion();
  readonly #further = new Quaternion();

  constructor(vrm: VRM, kind: FigureKind, names: readonly string[], joints: readonly Joint[]) {
    const bone = (name: VRMHumanBoneName | undefined) => (name ? vrm.humanoid.getNormalizedBoneNode(name) : null);
    this.kind = kind;
    this.object = vrm.scene;
    this.#vrm = vrm;
    this.#flip = vrm.meta.metaVersion === "0" ? -1 : 1;
    this.#hands = new Hands(vrm.humanoid, joints, this.#flip);
    this.#head = bone("head");
    this.#eyes = eyes(vrm, kind);
    this.#face = faceDriver(vrm, names, { eyes: this.#eyes.length > 0, jaw: bone("jaw") !== null });
    this.#jaw = this.#face.plan.lips === "jaw" ? bone("jaw") : null;
    this.#mouth = [names.map(arkitName).indexOf("jawOpen"), names.map(arkitName).indexOf("mouthClose")];
    this.missing = this.#face.missing;
    this.#bones = bones(vrm, joints);
    this.top = new Box3().setFromObject(vrm.scene).max.y;
    this.waist = (vrm.humanoid.getRawBoneNode("hips")?.matrixWorld.elements[13] ?? 0) + WAIST_ABOVE_HIPS;
    vrm.scene.traverse((object) => {
      // Bones carry the meshes out of the bounds that they had at rest.
      object.frustumCulled = false;
      if (object instanceof Mesh) object.castShadow = object.receiveShadow = true;
    });
    if (kind === "lydia" || kind === "lydia-lite") lightOwnBody(vrm.scene);
  }

  pose({ face, joints }: Pose, passed: number, gesture = Gesture.UNSPECIFIED): void {
    for (const [bone, places] of this.#bones) {
      const rotation = this.#rotation.identity();
      for (const place of places) rotation.multiply(this.#further.fromArray(joints, place * 4));
      if (bone === this.#head) rotation.multiply(this.#look(face, HEAD_YAW, HEAD_PITCH, HEAD_ROLL));
      this.#turn(bone, rotation);
    }
    this.#hands.pose(joints, gesture, passed);
    for (const eye of this.#eyes) {
      const yaw = MathUtils.clamp(face[eye.yaw] ?? 0, -eye.right, eye.left);
      const pitch = MathUtils.clamp(face[eye.pitch] ?? 0, -eye.down, eye.up);
      this.#turn(eye.bone, this.#further.setFromEuler(this.#angle.set(-pitch, yaw, 0, "YXZ")));
    }
    if (this.#jaw) {
      const [open, close] = this.#mouth;
      const apart = Math.max(0, (face[open] ?? 0) - (face[close] ?? 0));
      this.#turn(this.#jaw, this.#further.setFromEuler(this.#angle.set(apart * JAW_TURN, 0, 0, "YXZ")));
    }
    this.#face.show(face);
    this.#vrm.humanoid.update();
    this.#vrm.nodeConstraintManager?.update();
    this.#vrm.springBoneManager?.update(Math.min(passed, 0.05));
    for (const material of this.#vrm.materials ?? []) {
      if ("update" in material && typeof material.update === "function") material.update(passed);
    }
  }

  dispose(): void {
    VRMUtils.deepDispose(this.#vrm.scene);
  }

  /** Yaw + to her left, pitch + up, roll + to her left shoulder, each about the axes that the one before has turned. */
  #look(face: Float32Array, yaw: number, pitch: number, roll: number): Quaternion {
    return this.#further.setFromEuler(this.#angle.set(-(face[pitch] ?? 0), face[yaw] ?? 0, -(face[roll] ?? 0), "YXZ"));
  }

  #turn(bone: Object3D, { x, y, z, w }: Quaternion): void {
    bone.quaternion.set(x * this.#flip, y, z * this.#flip, w);
  }
}

/** An eye that is turned by its bone: places of its angles in a face, and how far it may turn each way, in radians. */
interface Eye {
  readonly bone: Object3D;
  readonly yaw: number;
  readonly pitch: number;
  readonly left: number;
  readonly right: number;
  readonly up: number;
  readonly down: number;
}

/** The eyes that bones turn: none where a model has no such bones or wants its gaze shown by expressions. */
function eyes({ humanoid, lookAt }: VRM, kind: FigureKind): Eye[] {
  const applier = lookAt?.applier;
  const [leftEye, rightEye] = [humanoid.getNormalizedBoneNode("leftEye"), humanoid.getNormalizedBoneNode("rightEye")];
  if (applier instanceof VRMLookAtExpressionApplier || !leftEye || !rightEye) return [];
  // Eyes of other people's avatars are often flat and slide out of the face: they turn as far as their makers say.
  const bounded = (kind === "file" || kind === "own") && applier instanceof VRMLookAtBoneApplier;
  const most = (degrees: number | undefined) => (bounded ? MathUtils.degToRad(degrees ?? 0) : Number.POSITIVE_INFINITY);
  const map = bounded ? applier : undefined;
  const inner = most(map?.rangeMapHorizontalInner.outputScale);
  const outer = most(map?.rangeMapHorizontalOuter.outputScale);
  const height = { up: most(map?.rangeMapVerticalUp.outputScale), down: most(map?.rangeMapVerticalDown.outputScale) };
  return [
    { bone: leftEye, yaw: LEFT_EYE_YAW, pitch: LEFT_EYE_PITCH, left: outer, right: inner, ...height },
    { bone: rightEye, yaw: RIGHT_EYE_YAW, pitch: RIGHT_EYE_PITCH, left: inner, right: outer, ...height },
  ];
}

/** The bones that a pose turns, each with the places of its joints: its own and those for which it stands in. */
function bones({ humanoid }: VRM, joints: readonly Joint[]): Map<Object3D, number[]> {
  const found = new Map<Object3D, number[]>();
  [...joints, Joint.HEAD].forEach((joint, place) => {
    let bone: Object3D | null = null;
    for (let turned: Joint | undefined = joint; turned !== undefined && !bone; turned = STAND_INS[turned]) {
      const name = BONES[turned];
      bone = name ? humanoid.getNormalizedBoneNode(name) : null;
    }
    if (!bone) return;
    const places = found.get(bone) ?? [];
    found.set(bone, place < joints.length ? [...places, place] : places);
  });
  return found;
}
