// Builds the pages into dist/, with --tests the unit tests into build/tests/, with --tools what pictures her into
// build/tools/.
import { readdirSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { build } from "esbuild";

const common = { bundle: true, format: "esm", target: "es2022", charset: "utf8", logLevel: "warning" };

if (process.argv.includes("--tests")) {
  const tests = readdirSync("test").filter((name) => name.endsWith(".test.ts"));
  await rm("build/tests", { recursive: true, force: true });
  await build({
    ...common,
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: "build/tests",
    outExtension: { ".js": ".mjs" },
    platform: "node",
    sourcemap: "inline",
  });
} else if (process.argv.includes("--tools")) {
  await rm("build/tools", { recursive: true, force: true });
  await build({ ...common, entryPoints: ["tools/studio.ts", "tools/reader.ts"], outdir: "build/tools" });
} else {
  await rm("dist", { recursive: true, force: true });
  await build({
    ...common,
    entryPoints: [
      { in: "src/stage/main.ts", out: "stage" },
      { in: "src/stage.css", out: "stage" },
      { in: "src/console/main.ts", out: "console" },
      { in: "src/console.css", out: "console" },
    ],
    outdir: "dist/assets",
    minify: true,
    sourcemap: true,
    legalComments: "linked",
  });
  await Promise.all([
    cp("src/stage.html", "dist/stage.html"),
    cp("src/console.html", "dist/console.html"),
    cp("scenes", "dist/assets/scenes", { recursive: true }),
    cp("src/icon.svg", "dist/assets/icon.svg"),
  ]);
}
