import {
  Color,
  DirectionalLight,
  HemisphereLight,
  NeutralToneMapping,
  PCFShadowMap,
  PerspectiveCamera,
  PMREMGenerator,
  Scene,
  type Texture,
  Vector2,
  WebGLRenderer,
} from "three";
import { RoomEnvironment } from "three/addons/environments/RoomEnvironment.js";
import { Backdrop } from "./backdrop";
import type { Figure } from "./figure";
import type { Quality } from "./quality";
import type { World } from "./world";

/** Vertical angle of the camera, in degrees: a portrait lens. */
const LENS = 22;
/** Device pixels drawn per CSS pixel, at most. */
const PIXELS: Readonly<Record<Quality, number>> = { full: 2, light: 1.25, lite: 0.75 };

/** Light at a scene's strength of 1. */
const STRENGTH = { key: 1.7, fill: 0.45, reflected: 0.38, around: 0.35, aroundAlone: 2 };
/** What cold and warm scenes make of the colour of light, and how far. */
const COLD = new Color("#a9c8ff");
const WARM = new Color("#ffb066");
const TINTED = 0.5;

/** A tender face is lit so much more softly and warmly. */
const SOFTER = 0.22;
const WARMER = 0.3;

/** A part of the window, in CSS pixels. */
export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What is drawn: her world, the lights, and the body on the stage, framed from head to waist. */
export class StageScene {
  readonly #renderer: WebGLRenderer;
  readonly #scene = new Scene();
  readonly #camera = new PerspectiveCamera(LENS, 1, 0.1, 30);
  readonly #world: World;
  readonly #backdrop: Backdrop | undefined;
  readonly #key = new DirectionalLight("#fff1e4");
  readonly #keyColour = new Color();
  readonly #around = new HemisphereLight("#cdd6ff", "#6a4a5c");
  #reflected: Texture | undefined;
  #figure: Figure | undefined;
  #area: Area = { x: 0, y: 0, width: 1, height: 1 };
  #span = 1;
  #distance = 3;
  #middle = 1.3;
  #sway = { x: 0, y: 0 };

  /** @param bare without a world behind her: what is not she is transparent */
  constructor(canvas: HTMLCanvasElement, world: World, bare: boolean) {
    // Dense screens need no smoothing of edges, and phones have them.
    const antialias = window.devicePixelRatio < 2;
    this.#renderer = new WebGLRenderer({ canvas, antialias, alpha: bare, powerPreference: "high-performance" });
    this.#renderer.toneMapping = NeutralToneMapping;
    this.#renderer.shadowMap.type = PCFShadowMap;
    this.#world = world;
    this.#light();
    if (!bare) {
      this.#scene.background = new Color(world.sky[0]?.[1]);
      this.#backdrop = new Backdrop(world);
      this.#scene.add(this.#backdrop.object);
    }
    this.quality = "lite";
  }

  /** WebGL's name of what draws; empty where the browser does not tell. */
  get drawnBy(): string {
    const context = this.#renderer.getContext();
    const names = context.getExtension("WEBGL_debug_renderer_info");
    return names ? String(context.getParameter(names.UNMASKED_RENDERER_WEBGL)) : "";
  }

  /** The body on the stage; the one before it is taken away and freed. */
  set figure(figure: Figure) {
    if (this.#figure) {
      this.#scene.remove(this.#figure.object);
      this.#figure.dispose();
    }
    this.#figure = figure;
    this.#scene.add(figure.object);
    this.#frame();
  }

  /** How much is drawn. At first "lite", until it is known what the machine can do. */
  set quality(quality: Quality) {
    this.#renderer.setPixelRatio(Math.min(window.devicePixelRatio, PIXELS[quality]));
    this.#renderer.shadowMap.enabled = quality === "full";
    this.#key.castShadow = quality === "full";
    // Reflections make the light; without them it comes from everywhere.
    const reflections = quality !== "lite";
    this.#scene.environment = reflections ? this.#room() : null;
    this.#around.intensity = (reflections ? STRENGTH.around : STRENGTH.aroundAlone) * this.#world.light.fill;
  }

  /** The window's size has changed, or the part of it in which she is to be seen from head to waist. */
  resize(width: number, height: number, area: Area): void {
    this.#renderer.setSize(width, height, false);
    this.#camera.aspect = width / height;
    this.#area = area;
    this.#frame();
  }

  /** Where the viewer looks from: -1 to 1 in both directions, eased by the caller. */
  look(x: number, y: number): void {
    this.#sway = { x, y };
  }

  /** Height of the picture of her, from the top of her head; 1 is down to the waist. */
  set span(span: number) {
    if (span === this.#span) return;
    this.#span = span;
    this.#frame();
  }

  /** How tender she is, 0 to 1: the light follows. */
  set tender(tender: number) {
    this.#key.intensity = STRENGTH.key * this.#world.light.key * (1 - SOFTER * tender);
    this.#key.color.copy(this.#keyColour).lerp(WARM, WARMER * tender);
  }

  /** Draws. @param time seconds of a steady clock */
  render(time: number): void {
    this.#backdrop?.update(time, this.#middle);
    this.#camera.position.set(this.#sway.x * 0.12, this.#middle + 0.02 + this.#sway.y * 0.05, this.#distance);
    this.#camera.lookAt(0, this.#middle, 0);
    this.#renderer.render(this.#scene, this.#camera);
  }

  /** A softly lit room to be reflected; made when it is first needed, for it takes a while. */
  #room(): Texture {
    if (!this.#reflected) {
      const maker = new PMREMGenerator(this.#renderer);
      this.#reflected = maker.fromScene(new RoomEnvironment(), 0.04).texture;
      this.#scene.environmentIntensity = STRENGTH.reflected * this.#world.light.fill;
      maker.dispose();
    }
    return this.#reflected;
  }

  #light(): void {
    const { shadow } = this.#key;
    const { key, fill: rest, warmth } = this.#world.light;
    this.#key.position.set(0.9, 2.5, 1.8);
    this.#key.target.position.set(0, 1.3, 0);
    shadow.mapSize.set(1024, 1024);
    shadow.camera.left = shadow.camera.bottom = -0.6;
    shadow.camera.right = shadow.camera.top = 0.6;
    shadow.camera.near = 0.5;
    shadow.camera.far = 4;
    shadow.bias = -0.0004;
    shadow.normalBias = 0.01;
    shadow.radius = 4;
    const fill = new DirectionalLight("#b9ccff", STRENGTH.fill * rest);
    this.#key.intensity = STRENGTH.key * key;
    for (const { color } of [this.#key, fill, this.#around]) {
      color.lerp(warmth < 0 ? COLD : WARM, Math.abs(warmth) * TINTED);
    }
    this.#keyColour.copy(this.#key.color);
    fill.position.set(-1.6, 1.6, 1.6);
    this.#scene.add(this.#key, this.#key.target, fill, this.#around);
  }

  /** Places the camera so that the span from her head downwards fills the area. */
  #frame(): void {
    const { width, height } = this.#renderer.getSize(new Vector2());
    const top = this.#figure?.top ?? 1.6;
    const waist = this.#figure?.waist ?? 1;
    const seen = (top - waist) * this.#span;
    const tall = (seen * height) / this.#area.height;
    this.#distance = tall / 2 / Math.tan((LENS / 2) * (Math.PI / 180));
    this.#middle = top - seen / 2;
    const left = width / 2 - (this.#area.x + this.#area.width / 2);
    const up = height / 2 - (this.#area.y + this.#area.height / 2);
    this.#camera.setViewOffset(width, height, left, up, width, height);
    this.#camera.updateProjectionMatrix();
  }
}
