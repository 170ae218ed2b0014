import night from "../../scenes/night.json";

/** A colour and how much of it there is, 0 to 1. */
export interface Tint {
  readonly colour: string;
  readonly amount: number;
}

/** What stands behind her and lights her: one file of `scenes/`. README.md says what each value does. */
export interface World {
  /** Time of day, 0 to 24: where sun or moon stands. null: indoors, neither. */
  readonly hour: number | null;
  /** Colours from the top, 0, to the bottom, 1. */
  readonly sky: readonly (readonly [at: number, colour: string])[];
  /** Light over the horizon. */
  readonly glow: Tint;
  readonly stars: number;
  /** Two rows of towers, each coloured from roof to ground, and the lights of their windows. */
  readonly city: {
    readonly far: readonly [string, string];
    readonly near: readonly [string, string];
    readonly lights: number;
    readonly warm: string;
    readonly cool: string;
  } | null;
  /** Haze that lies between the towers, thicker the farther. */
  readonly fog: Tint;
  /** Rings of light behind her, none to two. */
  readonly rings: readonly string[];
  /** Specks in the air. */
  readonly motes: Tint;
  /** Strength of the light from the front and of all other light, 1 as at night; and -1, cold, to 1, warm. */
  readonly light: { readonly key: number; readonly fill: number; readonly warmth: number };
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,39}$/;
const COLOUR = /^#[0-9a-f]{6}$/i;
/** A page without its scene waits no longer than this. */
const PATIENCE_MS = 5000;

/** A scene that cannot be shown, and why. */
export class BadWorld extends Error {}

/** The scene that is there when no other one is: today's city at night. */
export const NIGHT: World = parseWorld(night);

/** The scene of `/assets/scenes/{name}.json`. Throws BadWorld. */
export async function loadWorld(name: string): Promise<World> {
  if (!NAME.test(name)) throw new BadWorld(`${name}: a name of small letters, digits, - and _ is expected`);
  const answer = await fetch(`/assets/scenes/${name}.json`, { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => {
    throw new BadWorld(`${name}.json: the server does not answer`);
  });
  if (!answer.ok) throw new BadWorld(`${name}.json: there is no such file (${answer.status})`);
  let data: unknown;
  try {
    data = await answer.json();
  } catch {
    throw new BadWorld(`${name}.json: this is no JSON`);
  }
  try {
    return parseWorld(data);
  } catch (reason) {
    throw reason instanceof BadWorld ? new BadWorld(`${name}.json: ${reason.message}`) : reason;
  }
}

/** Checks a scene. Throws BadWorld, which names the value and what is expected there. */
export function parseWorld(data: unknown): World {
  const world = record(data, "the file");
  const light = record(world["light"], "light");
  return {
    hour: world["hour"] === null ? null : number(world["hour"], "hour", 0, 24),
    sky: sky(world["sky"]),
    glow: tint(world["glow"], "glow"),
    stars: number(world["stars"], "stars", 0, 1),
    city: city(world["city"]),
    fog: tint(world["fog"], "fog"),
    rings: list(world["rings"], "rings", 0, 2).map((each, place) => colour(each, `rings[${place}]`)),
    motes: tint(world["motes"], "motes"),
    light: {
      key: number(light["key"], "light.key", 0, 3),
      fill: number(light["fill"], "light.fill", 0, 3),
      warmth: number(light["warmth"], "light.warmth", -1, 1),
    },
  };
}

function sky(data: unknown): World["sky"] {
  let before = 0;
  return list(data, "sky", 2, 16).map((stop, place) => {
    const [at, shade] = list(stop, `sky[${place}]`, 2, 2);
    before = number(at, `sky[${place}][0]`, before, 1);
    return [before, colour(shade, `sky[${place}][1]`)] as const;
  });
}

function city(data: unknown): World["city"] {
  if (data === null) return null;
  const towers = record(data, "city");
  return {
    far: pair(towers["far"], "city.far"),
    near: pair(towers["near"], "city.near"),
    lights: number(towers["lights"], "city.lights", 0, 1),
    warm: colour(towers["warm"], "city.warm"),
    cool: colour(towers["cool"], "city.cool"),
  };
}

function tint(data: unknown, path: string): Tint {
  const { colour: shade, amount } = record(data, path);
  return { colour: colour(shade, `${path}.colour`), amount: number(amount, `${path}.amount`, 0, 1) };
}

function pair(data: unknown, path: string): readonly [string, string] {
  const [top, bottom] = list(data, path, 2, 2);
  return [colour(top, `${path}[0]`), colour(bottom, `${path}[1]`)];
}

function record(data: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof data === "object" && data !== null && !Array.isArray(data)) return data as Record<string, unknown>;
  throw new BadWorld(`${path}: an object is expected`);
}

function list(data: unknown, path: string, least: number, most: number): readonly unknown[] {
  if (Array.isArray(data) && data.length >= least && data.length <= most) return data;
  const size = least === most ? `${least}` : `${least} to ${most}`;
  throw new BadWorld(`${path}: a list of ${size} is expected`);
}

function number(data: unknown, path: string, least: number, most: number): number {
  if (typeof data === "number" && data >= least && data <= most) return data;
  throw new BadWorld(`${path}: a number from ${least} to ${most} is expected`);
}

function colour(data: unknown, path: string): string {
  if (typeof data === "string" && COLOUR.test(data)) return data;
  throw new BadWorld(`${path}: a colour such as "#1a2b3c" is expected`);
}
