import { type VRM, VRMLoaderPlugin } from "@pixiv/three-vrm";
import { AmbientLight, Color, DirectionalLight, OrthographicCamera, Scene, WebGLRenderer } from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

/** Part of the model that is seen from the front, in metres. */
interface View {
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly top: number;
}

/** A VRM file as any app built on three-vrm shows it: nothing of the stage's own is used. */
class Reader {
  readonly #canvas = document.body.appendChild(document.createElement("canvas"));
  readonly #renderer = new WebGLRenderer({ canvas: this.#canvas });
  readonly #scene = new Scene();
  #vrm: VRM | undefined;

  /** Returns the names of its expressions. */
  async open(url: string): Promise<string[]> {
    const gltf = await new GLTFLoader().register((parser) => new VRMLoaderPlugin(parser)).loadAsync(url);
    this.#vrm = gltf.userData["vrm"] as VRM;
    const light = new DirectionalLight("white", 2);
    light.position.set(0.5, 2, 3);
    this.#scene.background = new Color("#808080");
    this.#scene.add(this.#vrm.scene, light, new AmbientLight("white", 1));
    return Object.keys(this.#vrm.expressionManager?.expressionMap ?? {});
  }

  /** A PNG, as a data address, with this expression alone, or none. @param pixels per metre */
  show(expression: string | null, view: View, pixels: number): string {
    const vrm = this.#vrm;
    if (!vrm) throw new Error("no file is open");
    vrm.expressionManager?.resetValues();
    if (expression) vrm.expressionManager?.setValue(expression, 1);
    vrm.update(0);
    const camera = new OrthographicCamera(view.left, view.right, view.top, view.bottom, 0.1, 20);
    camera.position.z = 10;
    this.#renderer.setSize((view.right - view.left) * pixels, (view.top - view.bottom) * pixels, false);
    this.#renderer.render(this.#scene, camera);
    return this.#canvas.toDataURL("image/png");
  }
}

Object.assign(window, { reader: new Reader() });
