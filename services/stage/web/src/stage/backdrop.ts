import {
  AdditiveBlending,
  BufferAttribute,
  BufferGeometry,
  CanvasTexture,
  Group,
  Mesh,
  MeshBasicMaterial,
  PlaneGeometry,
  Points,
  PointsMaterial,
  SRGBColorSpace,
  TorusGeometry,
} from "three";
import type { Tint, World } from "./world";

/** Pixels of the painted layers; they are out of focus anyway. */
const WIDTH = 2048;
const HEIGHT = 1024;

/** Fixed, so that her city looks the same on every screen. */
const SEED = 2112;

/** Sun and moon rise on the left and set on the right, in twelve hours. */
const RISES = { sun: 6, moon: 18 };

/** Radius and thickness of the rings of light, in metres, and how much of them is seen. */
const RINGS = [
  [0.335, 0.0035, 0.95],
  [0.375, 0.0016, 0.85],
] as const;

/**
 * Her world of 2112 behind her: sky over the bay, two rows of towers, a ring of light, floating motes. Painted once
 * into a few textures, so that it costs next to nothing to draw; depth comes from the camera's small moves.
 */
export class Backdrop {
  readonly object = new Group();
  readonly #rings: Mesh[];
  readonly #motes: Points;

  constructor({ hour, sky, glow, stars, city, fog, rings, motes: specks }: World) {
    // One generator, asked the same questions in every scene: it is the same city at every hour.
    const random = generator(SEED);
    this.object.add(layer(9, 4.5, -5, 0, (context) => paintSky(context, random, { hour, sky, glow, stars })));
    if (city) {
      const { far, near, lights, warm, cool } = city;
      const windows = { warm, cool };
      this.object.add(
        layer(8.4, 4.2, -4.4, 3, (context) => {
          paintTowers(context, random, 0.52, far, { ...windows, amount: lights * 0.39 });
          paintFog(context, 0.52, fog, 1);
        }),
        layer(7.6, 3.8, -3.8, 1.5, (context) => {
          paintTowers(context, random, 0.4, near, { ...windows, amount: lights });
          paintFog(context, 0.4, fog, 0.6);
        }),
      );
    }
    this.#rings = RINGS.slice(0, rings.length).map(([radius, thickness, opacity], index) => {
      const made = ring(radius, thickness, rings[index] ?? "#ffffff", opacity);
      made.position.set(0, 0.1, -0.42 - 0.06 * index);
      return made;
    });
    this.#motes = motes(random, specks);
    this.object.add(...this.#rings, this.#motes);
  }

  /** Lets light and air move. @param time seconds @param middle height of the picture's middle, in metres */
  update(time: number, middle: number): void {
    this.object.position.y = middle;
    this.#rings.forEach((made, index) => {
      made.rotation.z = time * (index === 0 ? 0.08 : -0.05);
    });
    this.#motes.position.y = Math.sin(time * 0.1) * 0.05;
    this.#motes.rotation.y = time * 0.012;
  }
}

/** Small and repeatable (mulberry32): 0 to 1. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** @param blur of the whole picture, in pixels: it is out of the lens's focus */
function layer(
  width: number,
  height: number,
  z: number,
  blur: number,
  paint: (context: CanvasRenderingContext2D) => void,
): Mesh {
  const sharp = canvas(WIDTH, HEIGHT, paint);
  const soft = canvas(WIDTH, HEIGHT, (context) => {
    context.filter = blur > 0 ? `blur(${blur}px)` : "none";
    context.drawImage(sharp, 0, 0);
  });
  const texture = new CanvasTexture(soft);
  texture.colorSpace = SRGBColorSpace;
  const material = new MeshBasicMaterial({ map: texture, transparent: true, depthWrite: false, toneMapped: false });
  const made = new Mesh(new PlaneGeometry(width, height), material);
  made.position.z = z;
  made.renderOrder = z;
  return made;
}

function canvas(width: number, height: number, paint: (context: CanvasRenderingContext2D) => void): HTMLCanvasElement {
  const made = document.createElement("canvas");
  made.width = width;
  made.height = height;
  // Painted by the processor: it becomes a texture, and the drawing process would have to give it back for that.
  const context = made.getContext("2d", { willReadFrequently: true });
  if (context) paint(context);
  return made;
}

function paintSky(
  context: CanvasRenderingContext2D,
  random: () => number,
  { hour, sky, glow: light, stars }: Pick<World, "hour" | "sky" | "glow" | "stars">,
): void {
  const shades = context.createLinearGradient(0, HEIGHT * 0.1, 0, HEIGHT * 0.9);
  for (const [at, colour] of sky) shades.addColorStop(at, colour);
  context.fillStyle = shades;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  for (let star = 0; star < 420; star++) {
    context.fillStyle = `rgba(255,255,255,${stars * (0.1 + 0.7 * random() ** 3)})`;
    const size = 0.7 + 1.5 * random() ** 2;
    context.fillRect(random() * WIDTH, HEIGHT * (0.1 + random() ** 1.4 * 0.5), size, size);
  }
  glow(context, WIDTH * 0.5, HEIGHT * 0.72, WIDTH * 0.3, light.colour, light.amount);
  if (hour === null) return;
  const day = hour >= RISES.sun && hour < RISES.moon;
  // 0 where it rises, 1 where it sets.
  const gone = ((hour - (day ? RISES.sun : RISES.moon) + 24) % 24) / 12;
  const [x, y] = [WIDTH * (0.25 + 0.5 * gone), HEIGHT * (0.72 - 0.45 * Math.sin(Math.PI * gone))];
  if (day) paintSun(context, x, y, 44);
  else paintMoon(context, x, y, 34);
}

function paintSun(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  glow(context, x, y, radius * 8, "#fff2cf", 0.8);
  context.fillStyle = "#fffaf0";
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function paintMoon(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  glow(context, x, y, radius * 4, "#8cc8ff", 0.4);
  const light = context.createLinearGradient(x - radius, y - radius, x + radius, y + radius);
  light.addColorStop(0, "#fdf6ff");
  light.addColorStop(1, "#6f73d4");
  context.fillStyle = light;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
  context.strokeStyle = "rgba(214,228,255,0.8)";
  context.lineWidth = 2.5;
  context.beginPath();
  context.ellipse(x, y, radius * 1.9, radius * 0.36, -0.35, 0, 2 * Math.PI);
  context.stroke();
}

/** @param horizon height of the tallest towers, as a share of the picture; they are lower where she stands */
function paintTowers(
  context: CanvasRenderingContext2D,
  random: () => number,
  horizon: number,
  colours: readonly [top: string, bottom: string],
  windows: { readonly warm: string; readonly cool: string; readonly amount: number },
): void {
  const fill = context.createLinearGradient(0, HEIGHT * (1 - horizon), 0, HEIGHT);
  fill.addColorStop(0, colours[0]);
  fill.addColorStop(1, colours[1]);
  for (let x = -20; x < WIDTH; ) {
    const width = 22 + random() * 58;
    const middle = Math.exp(-(((x - WIDTH / 2) / (WIDTH * 0.1)) ** 2));
    const height = HEIGHT * horizon * (0.55 + 0.45 * random() * (1 - 0.8 * middle));
    const y = HEIGHT - height;
    context.fillStyle = fill;
    tower(context, x, y, width, height, random());
    for (let light = 0; light < (width * height) / 170; light++) {
      const warm = random() < 0.55;
      context.fillStyle = seeThrough(warm ? windows.warm : windows.cool, windows.amount * (0.25 + 0.7 * random()));
      const column = x + 5 + Math.floor((random() * (width - 10)) / 6) * 6;
      context.fillRect(column, y + 14 + Math.floor((random() * height) / 8) * 8, 2.6, 3.4);
    }
    x += width + random() * 12;
  }
}

function tower(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  kind: number,
): void {
  context.beginPath();
  if (kind < 0.3) {
    context.roundRect(x, y, width, height, [width / 2, width / 2, 0, 0]);
  } else if (kind < 0.6) {
    context.moveTo(x, y + width * 0.6);
    context.lineTo(x + width, y);
    context.lineTo(x + width, y + height);
    context.lineTo(x, y + height);
  } else {
    context.rect(x, y, width, height);
    context.rect(x + width / 2 - 1, y - 40 * kind, 2, 40 * kind);
  }
  context.fill();
}

/** Haze over what was painted so far, thickest at the ground. @param share of the scene's fog that lies before it */
function paintFog(context: CanvasRenderingContext2D, horizon: number, { colour, amount }: Tint, share: number): void {
  const haze = context.createLinearGradient(0, HEIGHT * (1 - horizon), 0, HEIGHT);
  haze.addColorStop(0, seeThrough(colour, 0.25 * amount * share));
  haze.addColorStop(1, seeThrough(colour, amount * share));
  context.globalCompositeOperation = "source-atop";
  context.fillStyle = haze;
  context.fillRect(0, 0, WIDTH, HEIGHT);
}

function glow(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  radius: number,
  colour: string,
  amount: number,
): void {
  const light = context.createRadialGradient(x, y, 0, x, y, radius);
  light.addColorStop(0, seeThrough(colour, amount));
  light.addColorStop(1, "rgba(0,0,0,0)");
  context.fillStyle = light;
  context.fillRect(0, 0, WIDTH, HEIGHT);
}

/** @param colour #rrggbb @param opacity 0 to 1 */
function seeThrough(colour: string, opacity: number): string {
  const byte = Math.round(opacity * 255);
  return colour + byte.toString(16).padStart(2, "0");
}

/** A ring of light, open at one place so that its turning shows. */
function ring(radius: number, thickness: number, colour: string, opacity: number): Mesh {
  const material = new MeshBasicMaterial({
    color: colour,
    transparent: true,
    opacity,
    depthWrite: false,
    toneMapped: false,
  });
  return new Mesh(new TorusGeometry(radius, thickness, 6, 120, Math.PI * 1.7), material);
}

function motes(random: () => number, { colour, amount }: Tint): Points {
  const places = Float32Array.from({ length: 3 * 90 }, (_, i) => {
    const range = i % 3 === 1 ? 1.8 : 3;
    return (random() - 0.5) * range - (i % 3 === 2 ? 0.9 : 0);
  });
  const geometry = new BufferGeometry().setAttribute("position", new BufferAttribute(places, 3));
  const mote = canvas(32, 32, (context) => {
    const light = context.createRadialGradient(16, 16, 0, 16, 16, 16);
    light.addColorStop(0, "rgba(255,255,255,1)");
    light.addColorStop(1, "rgba(255,255,255,0)");
    context.fillStyle = light;
    context.fillRect(0, 0, 32, 32);
  });
  const material = new PointsMaterial({
    map: new CanvasTexture(mote),
    color: colour,
    size: 0.018,
    transparent: true,
    opacity: amount,
    blending: AdditiveBlending,
    depthWrite: false,
  });
  return new Points(geometry, material);
}
