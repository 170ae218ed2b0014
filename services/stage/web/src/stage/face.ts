import type { VRM, VRMExpressionManager } from "@pixiv/three-vrm";
import type { Mesh, Object3D } from "three";
import { LEFT_EYE_PITCH, LEFT_EYE_YAW, RIGHT_EYE_PITCH, RIGHT_EYE_YAW } from "./frames";

/** How many of the face values are shapes. */
const SHAPES = 52;
/** A model must have at least so many of the 52 shapes to be driven by them. */
const SHAPES_MIN = 20;
/** The eye angle, in radians, that a model without eye bones shows as a full look to one side. */
const FULL_LOOK = 0.45;

/** Writes face values into one model. */
export type FaceDriver = (face: Float32Array) => void;

/** "jawOpen" for "JawOpen": Live Link and ARKit write the same names differently. */
export function arkitName(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/**
 * The best way this model has to show a face: its own ARKit expressions, else morph targets with ARKit names, else the
 * presets that every VRM has. `names` are those of the face values.
 */
export function faceDriver(vrm: VRM, names: readonly string[]): FaceDriver {
  const shapes = names.slice(0, SHAPES).map(arkitName);
  const expressions = vrm.expressionManager;
  const custom = expressions ? arkitExpressions(expressions, shapes) : [];
  if (expressions && custom.length >= SHAPES_MIN) {
    return (face) => {
      for (const [index, name] of custom) expressions.setValue(name, face[index] ?? 0);
      expressions.update();
    };
  }
  const morphs = arkitMorphs(vrm.scene, shapes);
  if (new Set(morphs.map(([index]) => index)).size >= SHAPES_MIN) {
    return (face) => {
      for (const [index, influences, place] of morphs) influences[place] = face[index] ?? 0;
    };
  }
  if (!expressions) return () => undefined;
  const looks = vrm.humanoid.getNormalizedBoneNode("leftEye") === null;
  return (face) => {
    for (const [name, value] of presets(face, shapes, looks)) expressions.setValue(name, value);
    expressions.update();
  };
}

/** Custom expressions with ARKit names: [index of the face value, the model's spelling]. */
function arkitExpressions(expressions: VRMExpressionManager, shapes: string[]): [number, string][] {
  const found = new Map(Object.keys(expressions.customExpressionMap).map((name) => [name.toLowerCase(), name]));
  return shapes.flatMap((shape, index) => {
    const name = found.get(shape.toLowerCase());
    return name === undefined ? [] : [[index, name] as [number, string]];
  });
}

/** Morph targets with ARKit names: [index of the face value, influences of its mesh, place in them]. */
function arkitMorphs(scene: Object3D, shapes: string[]): [number, number[], number][] {
  const index = new Map(shapes.map((shape, place) => [shape.toLowerCase(), place]));
  const found: [number, number[], number][] = [];
  scene.traverse((object) => {
    const { morphTargetDictionary: names, morphTargetInfluences: influences } = object as Mesh;
    if (!names || !influences) return;
    for (const [name, place] of Object.entries(names)) {
      const shape = index.get(name.toLowerCase());
      if (shape !== undefined) found.push([shape, influences, place]);
    }
  });
  return found;
}

/**
 * The face in the words of VRM's presets, each 0 to 1. Vowels by how far the lips stand apart and whether they are
 * round or wide; closed lips show no vowel.
 * @param looks whether gaze has to be shown by expressions too
 */
export function presets(face: Float32Array, shapes: readonly string[], looks: boolean): [string, number][] {
  const of = (name: string) => face[shapes.indexOf(name)] ?? 0;
  const both = (name: string) => (of(`${name}Left`) + of(`${name}Right`)) / 2;
  const apart = clamp(of("jawOpen") - of("mouthClose"));
  const round = clamp(of("mouthPucker") + of("mouthFunnel"));
  const wide = clamp(both("mouthStretch") + 0.5 * both("mouthSmile") + 0.5 * both("mouthDimple"));
  const opening = clamp(apart * 2);
  const found: [string, number][] = [
    ["aa", opening * (1 - round)],
    ["oh", opening * round],
    ["ou", (1 - opening) * round],
    ["ee", (1 - round) * wide * clamp(apart * 4)],
    ["ih", (1 - round) * clamp(both("mouthLowerDown")) * 0.5],
    ["happy", 0.7 * clamp(both("mouthSmile"))],
    ["sad", 0.7 * clamp(both("mouthFrown"))],
    ["angry", 0.6 * clamp(both("browDown"))],
    ["surprised", 0.5 * clamp((of("browInnerUp") + both("browOuterUp")) / 2)],
    ["blinkLeft", of("eyeBlinkLeft")],
    ["blinkRight", of("eyeBlinkRight")],
  ];
  if (looks) {
    const yaw = ((face[LEFT_EYE_YAW] ?? 0) + (face[RIGHT_EYE_YAW] ?? 0)) / 2 / FULL_LOOK;
    const pitch = ((face[LEFT_EYE_PITCH] ?? 0) + (face[RIGHT_EYE_PITCH] ?? 0)) / 2 / FULL_LOOK;
    found.push(
      ["lookLeft", clamp(yaw)],
      ["lookRight", clamp(-yaw)],
      ["lookUp", clamp(pitch)],
      ["lookDown", clamp(-pitch)],
    );
  }
  return found;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
