// Runs the Khronos glTF validator: node validate.mjs FILE prints its whole report as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const web = new URL("../../../services/stage/web/package.json", import.meta.url);
const validator = createRequire(web)("gltf-validator");
const report = await validator.validateBytes(new Uint8Array(readFileSync(process.argv[2])), { maxIssues: 0 });
process.stdout.write(JSON.stringify(report));
