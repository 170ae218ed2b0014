import { type VRM, type VRMHumanBoneName, VRMLoaderPlugin, VRMUtils } from "@pixiv/three-vrm";
import { Box3, Euler, Mesh, type Object3D, Quaternion } from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { Joint } from "../events/motion_pb";
import { faceDriver } from "./face";
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

/** The file is not a VRM model. */
export class NotVrm extends Error {}

/**
 * Loads a VRM model, version 1.0 or 0.
 * @param names of the face values, @param joints that a pose moves, both in their order
 * Throws NotVrm for other files.
 */
export async function loadVrm(
  file: ArrayBuffer,
  kind: FigureKind,
  names: readonly string[],
  joints: readonly Joint[],
): Promise<Figure> {
  const loader = new GLTFLoader().register((parser) => new VRMLoaderPlugin(parser));
  const gltf = await loader.parseAsync(file, "").catch((reason: unknown) => {
    throw new NotVrm(String(reason));
  });
  const vrm = gltf.userData["vrm"] as VRM | undefined;
  if (!vrm) throw new NotVrm("a glTF file without a VRM part");
  VRMUtils.removeUnnecessaryVertices(vrm.scene);
  VRMUtils.rotateVRM0(vrm);
  return new VrmFigure(vrm, kind, names, joints);
}

class VrmFigure implements Figure {
  readonly kind: FigureKind;
  readonly object: Object3D;
  readonly top: number;
  readonly waist: number;
  readonly #vrm: VRM;
  readonly #showFace: (face: Float32Array) => void;
  readonly #joints: (Object3D | null)[];
  readonly #head: Object3D | null;
  readonly #eyes: [Object3D | null, yaw: number, pitch: number][];
  /** VRM 0 models face the other way: rotations turn about x and z the other way round. */
  readonly #flip: 1 | -1;
  readonly #angle = new Euler(0, 0, 0, "YXZ");
  readonly #rotation = new Quaternion();

  constructor(vrm: VRM, kind: FigureKind, names: readonly string[], joints: readonly Joint[]) {
    const bone = (name: VRMHumanBoneName | undefined) => (name ? vrm.humanoid.getNormalizedBoneNode(name) : null);
    this.kind = kind;
    this.object = vrm.scene;
    this.#vrm = vrm;
    this.#flip = vrm.meta.metaVersion === "0" ? -1 : 1;
    this.#showFace = faceDriver(vrm, names);
    this.#joints = joints.map((joint) => bone(BONES[joint]));
    this.#head = bone("head");
    this.#eyes = [
      [bone("leftEye"), LEFT_EYE_YAW, LEFT_EYE_PITCH],
      [bone("rightEye"), RIGHT_EYE_YAW, RIGHT_EYE_PITCH],
    ];
    vrm.scene.updateMatrixWorld(true);
    this.top = new Box3().setFromObject(vrm.scene).max.y;
    this.waist = (vrm.humanoid.getRawBoneNode("hips")?.matrixWorld.elements[13] ?? 0) + WAIST_ABOVE_HIPS;
    vrm.scene.traverse((object) => {
      // Bones carry the meshes out of the bounds that they had at rest.
      object.frustumCulled = false;
      if (object instanceof Mesh) object.castShadow = object.receiveShadow = true;
    });
  }

  pose({ face, joints }: Pose, passed: number): void {
    this.#joints.forEach((joint, index) => {
      if (joint) this.#turn(joint, this.#rotation.fromArray(joints, index * 4));
    });
    if (this.#head) this.#turn(this.#head, this.#look(face, HEAD_YAW, HEAD_PITCH, HEAD_ROLL));
    for (const [eye, yaw, pitch] of this.#eyes) if (eye) this.#turn(eye, this.#look(face, yaw, pitch));
    this.#showFace(face);
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
  #look(face: Float32Array, yaw: number, pitch: number, roll?: number): Quaternion {
    const tilt = roll === undefined ? 0 : -(face[roll] ?? 0);
    return this.#rotation.setFromEuler(this.#angle.set(-(face[pitch] ?? 0), face[yaw] ?? 0, tilt, "YXZ"));
  }

  #turn(bone: Object3D, { x, y, z, w }: Quaternion): void {
    bone.quaternion.set(x * this.#flip, y, z * this.#flip, w);
  }
}
