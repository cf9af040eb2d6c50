// The neurons on a plain canvas, for browsers without WebGL: the same places, colours and camera.
import { Vector3 } from "three";
import { pointSize } from "./stage.js";

export class FlatStage {
  constructor(canvas, data, orbit) {
    this.kind = "canvas";
    this.canvas = canvas;
    this.data = data;
    this.orbit = orbit;
    this.size = orbit.radius * pointSize(data);
    this.colours = new Uint8Array(3 * data.neurons);
    this.stands = new Uint8Array(data.neurons).fill(255);
    this.levels = new Uint8Array(data.neurons);
    this.lit = true;
    this.hullsShown = false;
  }

  setColours(colours, stands) { this.colours.set(colours); this.stands.set(stands); }
  setLevels(levels, lit, fade) { this.levels.set(levels); this.lit = lit; this.fade = fade; }
  showHulls(shown) { this.hullsShown = shown; }
  finish() {}

  draw(width, height, ratio) {
    const { canvas, data, orbit } = this;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, width, height);
    orbit.place(width, height);
    const at = projector(orbit.camera, data, width, height);
    const seen = Array.from(data.shown, (n) => [n, ...at(n)]).filter((one) => one[3] > 0).sort((a, b) => b[3] - a[3]);
    const scale = (height / 2) * orbit.camera.projectionMatrix.elements[5];
    for (const [n, x, y, depth] of seen) {
      const bright = this.lit ? this.levels[n] / 255 : 1;
      const wide = this.size * (0.45 + 0.55 * this.stands[n] / 255) * (0.62 + bright * (this.lit ? 0.73 : 0.38));
      const r = Math.max(0.8, (wide * scale) / depth / 2), pale = this.fade * (1 - bright);
      const [red, green, blue] = [0, 1, 2].map((k) => Math.round(this.colours[3 * n + k] * (1 - pale) + 223 * pale));
      pen.fillStyle = `rgb(${red},${green},${blue})`;
      if (r < 1.5) pen.fillRect(x - r, y - r, 2 * r, 2 * r);
      else { pen.beginPath(); pen.arc(x, y, r, 0, 7); pen.fill(); }
    }
    if (!this.hullsShown || !data.a.hull_faces) return;
    const faces = data.a.hull_faces;
    pen.globalAlpha = 0.04;
    for (let k = 0; k < faces.length; k += 3) {
      const corners = [0, 1, 2].map((one) => at(faces[k + one]));
      pen.fillStyle = data.palette[data.a.hull_region[k / 3] % data.palette.length];
      pen.beginPath();
      corners.forEach(([x, y], one) => (one ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      pen.fill();
    }
    pen.globalAlpha = 1;
  }
}

// Return the function that gives x, y in pixels and the depth of a neuron.
export function projector(camera, data, width, height) {
  const spot = new Vector3(), from = camera.matrixWorldInverse, lens = camera.projectionMatrix;
  return (n) => {
    spot.set(data.xyz[3 * n], data.xyz[3 * n + 1], data.xyz[3 * n + 2]).applyMatrix4(from);
    const depth = -spot.z;
    spot.applyMatrix4(lens);
    return [((spot.x + 1) * width) / 2, ((1 - spot.y) * height) / 2, depth];
  };
}
