import type { Joint } from "../events/motion_pb";
import { BuiltinHead } from "./builtin_head";
import { type Cue, Director, type Shot } from "./director";
import type { Lack } from "./face";
import type { Figure, FigureKind } from "./figure";
import type { Pose } from "./frames";
import { firstRung, QualityLadder } from "./quality";
import { type Area, StageScene } from "./scene";
import { loadVrm } from "./vrm_figure";
import type { World } from "./world";

/** Not there unless the server's settings name an avatar. */
const OWN = { path: "/avatar/own.vrm", kind: "own" } as const;
const FULL = { path: "/avatar/lydia.vrm", kind: "lydia" } as const;
const LITE = { path: "/avatar/lydia-lite.vrm", kind: "lydia-lite" } as const;
/** Pictures of the empty stage that are measured before it is decided which body to fetch. */
const FIRST_PICTURES = 5;
/** Hair and clothes move on at most so far in one picture. Seconds. */
const PASSED_MAX_S = 2;
/** How fast the view follows the pointer: the share of the way made in one second is 1 - 1/e of this. */
const FOLLOW = 3;
/** The light follows her mood over about so long. Seconds. */
const MOOD_S = 0.8;

/** Where she is seen. */
export interface Setting {
  readonly world: World;
  /** Without a world behind her, on a transparent ground. */
  readonly bare: boolean;
  /** The part of the window where she is to be seen from head to waist. */
  readonly area: () => Area;
  /** What she is doing now, for the camera and her hands. */
  readonly cue: () => Cue;
}

/** Draws her, picture by picture, with the body and the beauty that this machine can carry. */
export class Show {
  /** Told why one of the server's bodies cannot be worn. */
  refused: (reason: unknown) => void = () => undefined;
  readonly #scene: StageScene;
  readonly #ladder: QualityLadder;
  readonly #director = new Director();
  readonly #cue: () => Cue;
  readonly #names: readonly string[];
  readonly #joints: readonly Joint[];
  readonly #pose: (passed: number) => Pose;
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #figure: Figure | undefined;
  /** Counts the bodies that were asked for: only the last one is shown. */
  #choice = 0;
  #frames = 0;
  #drawnAt = 0;
  #pointer = { x: 0, y: 0 };
  #look = { x: 0, y: 0 };
  #tender = 0;

  /**
   * @param names of the face values, @param joints of a pose
   * @param pose gives the pose to show now; gets the seconds since it was last asked
   * Throws where the browser has no WebGL.
   */
  constructor(
    canvas: HTMLCanvasElement,
    names: readonly string[],
    joints: readonly Joint[],
    pose: (passed: number) => Pose,
    { world, bare, area, cue }: Setting,
  ) {
    this.#names = names;
    this.#joints = joints;
    this.#pose = pose;
    this.#cue = cue;
    this.#scene = new StageScene(canvas, world, bare);
    this.#ladder = new QualityLadder(firstRung(this.#scene.drawnBy));
    const resize = () => this.#scene.resize(window.innerWidth, window.innerHeight, area());
    window.addEventListener("resize", resize);
    window.addEventListener("pointermove", ({ clientX, clientY }) => {
      this.#pointer = { x: (clientX / window.innerWidth) * 2 - 1, y: 1 - (clientY / window.innerHeight) * 2 };
    });
    // A hidden page draws nothing, which says nothing of the machine.
    document.addEventListener("visibilitychange", () => this.#ladder.restart());
    resize();
    requestAnimationFrame((time) => this.#draw(time));
  }

  /** Pictures drawn so far. */
  get frames(): number {
    return this.#frames;
  }

  get figure(): FigureKind | null {
    return this.#figure?.kind ?? null;
  }

  /** What the body lacks. */
  get missing(): readonly Lack[] {
    return this.#figure?.missing ?? [];
  }

  get shot(): Shot {
    return this.#director.shot;
  }

  get quality(): QualityLadder["rung"] {
    return this.#ladder.rung;
  }

  /** The avatar of the settings, else her own body, as rich as the machine can draw; without any, the built-in head. */
  async wearHerOwn(): Promise<void> {
    const choice = ++this.#choice;
    const bodies = this.#ladder.rung === "lite" ? [OWN, LITE] : [OWN, FULL, LITE];
    for (const body of bodies) {
      const file = await fetchFile(body.path);
      if (choice !== this.#choice) return;
      if (!file) continue;
      try {
        await this.#wear(file, body.kind, choice);
        return;
      } catch (reason) {
        this.refused(reason);
      }
    }
    if (!this.#figure) this.#show(new BuiltinHead(this.#names));
  }

  /** A VRM file that the viewer brought. Tells what it lacks; throws Refused, and nothing changes, when it is none. */
  wear(file: ArrayBuffer): Promise<readonly Lack[]> {
    return this.#wear(file, "file", ++this.#choice);
  }

  /** Shows a body unless another one has been chosen while it was made. */
  async #wear(file: ArrayBuffer, kind: FigureKind, choice: number): Promise<readonly Lack[]> {
    const figure = await loadVrm(file, kind, this.#names, this.#joints);
    if (choice === this.#choice) this.#show(figure);
    else figure.dispose();
    return figure.missing;
  }

  #show(figure: Figure): void {
    this.#figure = figure;
    this.#scene.figure = figure;
    this.#ladder.restart();
  }

  #draw(time: number): void {
    requestAnimationFrame((next) => this.#draw(next));
    const ms = time - this.#drawnAt;
    this.#drawnAt = time;
    const passed = Math.min(ms / 1000, PASSED_MAX_S);
    const pose = this.#pose(passed);
    this.#figure?.pose(pose, passed, this.#cue().gesture);
    this.#film(time / 1000, passed);
    this.#glance(passed);
    this.#scene.render(this.#calm.matches ? 0 : time / 1000);
    this.#frames += 1;
    if (this.#ladder.measure(ms)) this.#stepDown();
    if (this.#frames === FIRST_PICTURES) {
      this.#scene.quality = this.#ladder.rung;
      void this.wearHerOwn();
    }
  }

  #stepDown(): void {
    this.#scene.quality = this.#ladder.rung;
    if (this.#ladder.rung === "lite" && this.#figure?.kind === "lydia") void this.wearHerOwn();
  }

  /** Camera and light follow what she does. */
  #film(time: number, passed: number): void {
    const cue = this.#cue();
    this.#scene.span = this.#director.direct(time, cue, this.#calm.matches);
    this.#tender += (cue.tender - this.#tender) * (1 - Math.exp(-passed / MOOD_S));
    this.#scene.tender = this.#tender;
  }

  /** The view leans a little towards the pointer. */
  #glance(passed: number): void {
    const share = this.#calm.matches ? 0 : 1 - Math.exp(-FOLLOW * passed);
    this.#look.x += (this.#pointer.x - this.#look.x) * share;
    this.#look.y += (this.#pointer.y - this.#look.y) * share;
    this.#scene.look(this.#look.x, this.#look.y);
  }
}

/** The file at a path of this server; undefined when it is not there, empty, or the network is gone. */
async function fetchFile(path: string): Promise<ArrayBuffer | undefined> {
  try {
    const answer = await fetch(path);
    return answer.status === 200 ? await answer.arrayBuffer() : undefined;
  } catch {
    return undefined;
  }
}
