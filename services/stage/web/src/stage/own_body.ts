import { Mesh, MeshStandardMaterial, type Object3D, ShaderChunk } from "three";

/** What would throw dirt onto her cheeks. */
const WITHOUT_SHADOW = new Set(["hair", "lashes", "eyes", "eyeLight"]);
/** What shadows would turn grey. */
const UNSHADED = new Set(["eyes", "eyeLight", "teeth", "tongue", "lashes"]);
/** How far light goes around skin, for red, green and blue: it scatters below the surface, red the farthest. */
const AROUND = "vec3( 0.34, 0.16, 0.10 )";
const FACING = "vec3 irradiance = dotNL * directLight.color;";
const SOFT = `vec3 around = ${AROUND};
  vec3 irradiance = clamp( ( dot( geometryNormal, directLight.direction ) + around ) / ( 1.0 + around ), 0.0, 1.0 )
    * directLight.color;`;

/** Gives Lydia's own body, full or lite, the light that it was made for. */
export function lightOwnBody(scene: Object3D): void {
  scene.traverse((object) => {
    if (!(object instanceof Mesh)) return;
    object.castShadow = !WITHOUT_SHADOW.has(object.name);
    object.receiveShadow = !UNSHADED.has(object.name);
    if (object.material instanceof MeshStandardMaterial && object.material.name === "skin") soften(object.material);
  });
}

function soften(skin: MeshStandardMaterial): void {
  const lit = ShaderChunk.lights_physical_pars_fragment.replace(FACING, SOFT);
  skin.onBeforeCompile = (shader) => {
    shader.fragmentShader = shader.fragmentShader.replace("#include <lights_physical_pars_fragment>", lit);
  };
}
