import { VRMRequiredHumanBoneName } from "@pixiv/three-vrm";

/** Larger files would not fit a phone's memory anyway. Megabytes. */
export const FILE_MAX_MB = 100;

const GLTF = 0x46546c67;
const JSON_CHUNK = 0x4e4f534a;
/** Header of the file and of its first chunk. */
const HEADERS = 20;

/** Why a file is not worn. */
export type Refusal = "tooLarge" | "notVrm" | "noVrmPart" | "noHumanoid" | "broken" | "noWebGl";

/** A file is not worn; `detail` is what the words of the reason leave open. */
export class Refused extends Error {
  readonly why: Refusal;
  readonly detail: string;

  constructor(why: Refusal, detail = "") {
    super(`${why} ${detail}`);
    this.why = why;
    this.detail = detail;
  }
}

interface Description {
  readonly extensions?: {
    readonly VRMC_vrm?: { readonly humanoid?: { readonly humanBones?: Record<string, unknown> } };
    readonly VRM?: { readonly humanoid?: { readonly humanBones?: { bone?: string; node?: number }[] } };
  };
}

/** Throws Refused for what is not a VRM (0.x or 1.0) with a humanoid. Cheap: only the description is read. */
export function checkVrm(file: ArrayBuffer): void {
  if (file.byteLength > FILE_MAX_MB * 1e6) throw new Refused("tooLarge", String(FILE_MAX_MB));
  const { extensions } = description(file);
  const vrm = extensions?.VRMC_vrm ?? extensions?.VRM;
  if (!vrm) throw new Refused("noVrmPart");
  const bones = vrm.humanoid?.humanBones ?? {};
  const there = new Set(
    Array.isArray(bones) ? bones.filter(({ node }) => (node ?? -1) >= 0).map(({ bone }) => bone) : Object.keys(bones),
  );
  const absent = Object.values(VRMRequiredHumanBoneName).filter((bone) => !there.has(bone));
  if (absent.length > 0) throw new Refused("noHumanoid", absent.join(", "));
}

function description(file: ArrayBuffer): Description {
  const view = new DataView(file);
  if (view.byteLength < HEADERS || view.getUint32(0, true) !== GLTF) throw new Refused("notVrm");
  const length = view.getUint32(12, true);
  if (view.getUint32(4, true) !== 2 || view.getUint32(16, true) !== JSON_CHUNK) throw new Refused("notVrm");
  if (Math.max(view.getUint32(8, true), HEADERS + length) > view.byteLength)
    throw new Refused("broken", "the end is missing");
  try {
    const found: unknown = JSON.parse(new TextDecoder().decode(new Uint8Array(file, HEADERS, length)));
    if (typeof found === "object" && found !== null) return found;
  } catch {
    // Told below, like any other description that is none.
  }
  throw new Refused("broken", "no glTF description");
}
