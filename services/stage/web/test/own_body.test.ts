import assert from "node:assert/strict";
import { test } from "node:test";
import { BoxGeometry, Group, Mesh, MeshPhysicalMaterial, ShaderLib, type WebGLRenderer } from "three";
import { lightOwnBody } from "../src/stage/own_body";

function body(...names: string[]): { scene: Group; parts: Mesh<BoxGeometry, MeshPhysicalMaterial>[] } {
  const parts = names.map((name) => {
    const part = new Mesh(new BoxGeometry(), new MeshPhysicalMaterial());
    part.name = name;
    part.material.name = name === "face" ? "skin" : name;
    return part;
  });
  return { scene: new Group().add(...parts), parts };
}

test("hair and lashes throw no shadow onto her face, and eyes and teeth stay bright", () => {
  const { scene, parts } = body("face", "hair", "lashes", "teeth", "jacket");
  lightOwnBody(scene);
  assert.deepEqual(
    parts.map(({ castShadow, receiveShadow }) => [castShadow, receiveShadow]),
    [
      [true, true],
      [false, true],
      [false, false],
      [true, false],
      [true, true],
    ],
  );
});

test("light goes around her skin, and only around that", () => {
  const { scene, parts } = body("face", "jacket");
  lightOwnBody(scene);
  const [skin, jacket] = parts.map(({ material }) => {
    const shader = { fragmentShader: ShaderLib.physical.fragmentShader, vertexShader: "", uniforms: {} };
    // biome-ignore lint/suspicious/noExplicitAny: the rest of what three hands over does not matter here
    material.onBeforeCompile(shader as any, undefined as unknown as WebGLRenderer);
    return shader.fragmentShader;
  });
  assert.match(skin ?? "", /directLight\.direction \) \+ around/);
  assert.doesNotMatch(jacket ?? "", /around/);
});
