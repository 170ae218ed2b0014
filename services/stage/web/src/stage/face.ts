import type { VRM, VRMExpression, VRMExpressionManager } from "@pixiv/three-vrm";
import type { Mesh, Object3D } from "three";
import { LEFT_EYE_PITCH, LEFT_EYE_YAW, RIGHT_EYE_PITCH, RIGHT_EYE_YAW } from "./frames";

/** How many of the face values are shapes. */
const SHAPES = 52;
/** The eye angle, in radians, that a model without eye bones shows as a full look to one side. */
const FULL_LOOK = 0.45;
const MOODS = ["happy", "sad", "angry", "surprised"];
const LOOKS = ["Left", "Right", "Up", "Down"];

/** By what a model shows a face, best first. */
export interface FacePlan {
  readonly lips: "shapes" | "vowels" | "jaw" | "still";
  readonly lids: "shapes" | "presets" | "together" | "still";
  readonly moods: "shapes" | "presets" | "none";
  readonly gaze: "bones" | "shapes" | "presets" | "head";
}

/** What a model lacks, by what it does instead. */
export type Lack =
  | "someShapes"
  | "lipsByVowels"
  | "lipsByJaw"
  | "lipsStill"
  | "lidsTogether"
  | "lidsStill"
  | "moodsReady"
  | "moodsNone"
  | "gazeByHead";

/** Writes face values into one model. */
export interface FaceDriver {
  readonly plan: FacePlan;
  readonly missing: readonly Lack[];
  show(face: Float32Array): void;
}

/** "jawOpen" for "JawOpen": Live Link and ARKit write the same names differently. */
export function arkitName(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** The same key for all spellings of a shape: jawOpen, JawOpen, face.jawOpen; eyeBlinkLeft, EyeBlink_L. */
export function shapeKey(name: string): string {
  const own = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  return own.replace(/_l$/, "left").replace(/_r$/, "right").replaceAll("_", "");
}

/**
 * The best way of a model to show each part of a face.
 * @param shapes keys of the ARKit shapes that it has, @param presets names of its VRM expressions
 * @param bones which of these it has, and whether its eyes are to be turned by their bones
 */
export function planFace(
  shapes: ReadonlySet<string>,
  presets: ReadonlySet<string>,
  bones: { readonly eyes: boolean; readonly jaw: boolean },
): FacePlan {
  const has = (...names: string[]) => names.every((name) => shapes.has(shapeKey(name)));
  const sides = (...names: string[]) => has(...names.flatMap((name) => [`${name}Left`, `${name}Right`]));
  const rounds = has("mouthPucker") || has("mouthFunnel");
  return {
    lips: has("jawOpen") && rounds ? "shapes" : presets.has("aa") ? "vowels" : bones.jaw ? "jaw" : "still",
    lids: sides("eyeBlink")
      ? "shapes"
      : presets.has("blinkLeft") && presets.has("blinkRight")
        ? "presets"
        : presets.has("blink")
          ? "together"
          : "still",
    moods:
      sides("mouthSmile", "browDown") && has("browInnerUp")
        ? "shapes"
        : MOODS.some((name) => presets.has(name))
          ? "presets"
          : "none",
    gaze: bones.eyes
      ? "bones"
      : sides("eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeLookDown")
        ? "shapes"
        : LOOKS.every((side) => presets.has(`look${side}`))
          ? "presets"
          : "head",
  };
}

/** What a model with this plan lacks. @param shapes how many of the 52 ARKit shapes it has */
export function lacks({ lips, lids, moods, gaze }: FacePlan, shapes: number): Lack[] {
  const found: (Lack | false)[] = [
    lips === "shapes" && shapes < SHAPES && "someShapes",
    lips === "vowels" && "lipsByVowels",
    lips === "jaw" && "lipsByJaw",
    lips === "still" && "lipsStill",
    lids === "together" && "lidsTogether",
    lids === "still" && "lidsStill",
    // Where lips are made of ready vowels, ready moods go without saying.
    moods === "presets" && lips === "shapes" && "moodsReady",
    moods === "none" && "moodsNone",
    gaze === "head" && "gazeByHead",
  ];
  return found.filter((lack) => lack !== false);
}

/**
 * Drives the face of a model: every ARKit shape that it has, as a custom expression or as a morph target, and VRM's
 * presets for what these do not show. `names` are those of the face values.
 */
export function faceDriver(
  vrm: VRM,
  names: readonly string[],
  bones: { readonly eyes: boolean; readonly jaw: boolean },
): FaceDriver {
  const shapes = names.slice(0, SHAPES).map(arkitName);
  const expressions = vrm.expressionManager;
  const custom = expressions ? arkitExpressions(expressions, shapes) : [];
  const named = new Set(custom.map(([index]) => index));
  const morphs = arkitMorphs(vrm.scene, shapes).filter(([index]) => !named.has(index));
  const there = new Set([...named, ...morphs.map(([index]) => index)]);
  const presets = presetNames(expressions);
  const keys = new Set([...there].map((index) => shapeKey(shapes[index] ?? "")));
  const plan = planFace(keys, new Set(presets.keys()), bones);
  if (expressions) softenMoods(expressions, presets);
  const [jawOpen, mouthClose] = [shapes.indexOf("jawOpen"), shapes.indexOf("mouthClose")];
  // Lips that cannot be closed under a dropped jaw meet when it does not drop.
  const closedByJaw = there.has(mouthClose) ? -1 : jawOpen;
  const amount = (face: Float32Array, index: number) =>
    index === closedByJaw ? clamp((face[index] ?? 0) - (face[mouthClose] ?? 0)) : (face[index] ?? 0);
  return {
    plan,
    missing: lacks(plan, there.size),
    show(face) {
      for (const [index, name] of custom) expressions?.setValue(name, amount(face, index));
      for (const [name, value] of presetValues(face, shapes, plan)) {
        const own = presets.get(name);
        if (own !== undefined) expressions?.setValue(own, value);
      }
      expressions?.update();
      // After the expressions, which begin by clearing the morph targets that they share.
      for (const [index, influences, place] of morphs) influences[place] = amount(face, index);
    },
  };
}

/** Custom expressions with ARKit names: [index of the face value, the model's spelling]. */
function arkitExpressions(expressions: VRMExpressionManager, shapes: string[]): [number, string][] {
  const found = new Map(Object.keys(expressions.customExpressionMap).map((name) => [shapeKey(name), name]));
  return shapes.flatMap((shape, index) => {
    const name = found.get(shapeKey(shape));
    return name === undefined ? [] : [[index, name] as [number, string]];
  });
}

/** Morph targets with ARKit names: [index of the face value, influences of its mesh, place in them]. */
function arkitMorphs(scene: Object3D, shapes: string[]): [number, number[], number][] {
  const index = new Map(shapes.map((shape, place) => [shapeKey(shape), place]));
  const found: [number, number[], number][] = [];
  scene.traverse((object) => {
    const { morphTargetDictionary: names, morphTargetInfluences: influences } = object as Mesh;
    if (!names || !influences) return;
    for (const [name, place] of Object.entries(names)) {
      const shape = index.get(shapeKey(name));
      if (shape !== undefined) found.push([shape, influences, place]);
    }
  });
  return found;
}

/** VRM's name → the model's spelling, of expressions that do something: "Surprised" was no preset before VRM 1.0. */
function presetNames(expressions: VRMExpressionManager | undefined): Map<string, string> {
  const moods = new Map(MOODS.map((name) => [name, name]));
  const found = new Map<string, string>();
  for (const [name, expression] of Object.entries(expressions?.expressionMap ?? {})) {
    if (expression.binds.length > 0) found.set(moods.get(name.toLowerCase()) ?? name, name);
  }
  return found;
}

/** Moods that forbid lips or lids to move would hold them for as long as she smiles: they give way by degrees. */
function softenMoods(expressions: VRMExpressionManager, presets: ReadonlyMap<string, string>): void {
  const soften = (override: VRMExpression["overrideMouth"]) => (override === "block" ? "blend" : override);
  for (const mood of MOODS) {
    const expression = expressions.getExpression(presets.get(mood) ?? "");
    if (!expression) continue;
    expression.overrideMouth = soften(expression.overrideMouth);
    expression.overrideBlink = soften(expression.overrideBlink);
  }
}

/**
 * What of a face is shown by VRM's presets, each 0 to 1. Vowels by how far the lips stand apart and whether they are
 * round or wide; closed lips show no vowel.
 */
export function presetValues(face: Float32Array, shapes: readonly string[], plan: FacePlan): [string, number][] {
  const of = (name: string) => face[shapes.indexOf(name)] ?? 0;
  const both = (name: string) => (of(`${name}Left`) + of(`${name}Right`)) / 2;
  const found: [string, number][] = [];
  if (plan.lips === "vowels") {
    const apart = clamp(of("jawOpen") - of("mouthClose"));
    const round = clamp(of("mouthPucker") + of("mouthFunnel"));
    const wide = clamp(both("mouthStretch") + 0.5 * both("mouthSmile") + 0.5 * both("mouthDimple"));
    const opening = clamp(apart * 2);
    found.push(
      ["aa", opening * (1 - round)],
      ["oh", opening * round],
      ["ou", (1 - opening) * round],
      ["ee", (1 - round) * wide * clamp(apart * 4)],
      ["ih", (1 - round) * clamp(both("mouthLowerDown")) * 0.5],
    );
  }
  if (plan.moods === "presets") {
    // Lips of their own smile and frown by themselves.
    if (plan.lips !== "shapes") {
      found.push(["happy", 0.7 * clamp(both("mouthSmile"))], ["sad", 0.7 * clamp(both("mouthFrown"))]);
    }
    found.push(
      ["angry", 0.6 * clamp(both("browDown"))],
      ["surprised", 0.5 * clamp((of("browInnerUp") + both("browOuterUp")) / 2)],
    );
  }
  if (plan.lids === "presets") {
    found.push(["blinkLeft", of("eyeBlinkLeft")], ["blinkRight", of("eyeBlinkRight")]);
  }
  if (plan.lids === "together") found.push(["blink", Math.min(of("eyeBlinkLeft"), of("eyeBlinkRight"))]);
  if (plan.gaze === "presets") {
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
