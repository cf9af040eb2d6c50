// Bundles src/ into the package's template. Its first line holds the hash of what it was made of:
// a test compares it with the sources, so that nobody who runs the tests needs npm.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { build } from "esbuild";

const names = ["build.mjs", "package-lock.json", "package.json", ...readdirSync("src").sort().map((one) => `src/${one}`)];
const hash = createHash("sha256");
for (const name of names) hash.update(`${name}\n`).update(readFileSync(name, "utf8").replaceAll("\r\n", "\n"));

await build({
  entryPoints: ["src/main.js"],
  outfile: "../src/boltzbrain/pages/templates/viewer/viewer.js",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "ascii",
  legalComments: "inline",
  banner: { js: `/* made of viewer/ by make viewer, sources sha256 ${hash.digest("hex")} */` },
});
