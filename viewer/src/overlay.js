// What is drawn over the neurons: couplings of the chosen one, its name, the axes and their scale.
import { Vector3 } from "three";
import { DOWN, INK, SOFT, UP, short } from "./colours.js";
import { projector } from "./flat.js";

export function drawOverlay(pen, data, orbit, state, width, height) {
  const at = projector(orbit.camera, data, width, height);
  pen.font = "12px system-ui, sans-serif";
  if (state.neuron !== null && data.isShown(state.neuron)) {
    const [x, y] = at(state.neuron);
    if (state.lines) {
      const lines = data.partnersOf(state.neuron).filter(([other]) => data.isShown(other));
      const most = Math.max(...lines.map(([, value]) => Math.abs(value)), 1e-12);
      for (const [other, value] of lines) {
        const [x1, y1] = at(other);
        pen.strokeStyle = value < 0 ? DOWN : UP;
        pen.globalAlpha = 0.75;
        pen.lineWidth = 0.8 + (2.4 * Math.abs(value)) / most;
        pen.beginPath(); pen.moveTo(x, y); pen.lineTo(x1, y1); pen.stroke();
      }
      pen.globalAlpha = 1;
    }
    ring(pen, x, y, 8);
    text(pen, data.label(state.neuron), x + 12, y - 10);
  }
  if (state.hovered !== null && state.hovered !== state.neuron) {
    const [x, y] = at(state.hovered);
    ring(pen, x, y, 7);
    text(pen, data.label(state.hovered), x + 11, y - 9);
  }
  if (data.places.names.some((name) => name)) axes(pen, data, orbit, width, height);
}

function ring(pen, x, y, r) {
  pen.lineWidth = 4; pen.strokeStyle = "#fff";
  pen.beginPath(); pen.arc(x, y, r, 0, 7); pen.stroke();
  pen.lineWidth = 2; pen.strokeStyle = INK;
  pen.beginPath(); pen.arc(x, y, r, 0, 7); pen.stroke();
}

function text(pen, words, x, y) {
  const wide = pen.measureText(words).width, left = Math.min(x, pen.canvas.clientWidth - wide - 6 || x);
  pen.fillStyle = "rgba(255,255,255,.88)";
  pen.fillRect(left - 3, y - 9, wide + 6, 17);
  pen.fillStyle = INK; pen.textAlign = "left"; pen.textBaseline = "middle";
  pen.fillText(words, left, y);
}

// the directions of the axes, and a bar of a round number of micrometres in the plane through the middle
function axes(pen, data, orbit, width, height) {
  const across = new Vector3(), upright = new Vector3(), depth = new Vector3();
  orbit.camera.matrixWorld.extractBasis(across, upright, depth);
  const [x0, y0, long] = [34, height - 34, 22];
  pen.lineWidth = 1.4; pen.strokeStyle = SOFT; pen.fillStyle = SOFT;
  pen.textAlign = "center"; pen.textBaseline = "middle";
  data.places.names.forEach((name, axis) => {
    if (!name) return;
    const unit = new Vector3(...[0, 1, 2].map((k) => (k === axis ? 1 : 0)));
    const [x, y] = [unit.dot(across), -unit.dot(upright)];
    pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x0 + long * x, y0 + long * y); pen.stroke();
    if (Math.hypot(x, y) > 0.25) pen.fillText(name, x0 + (long + 9) * x, y0 + (long + 9) * y);
  });
  if (data.places.stretched) return;
  const scale = (height / 2) * orbit.camera.projectionMatrix.elements[5] / orbit.distance;
  const rough = 90 / scale, power = 10 ** Math.floor(Math.log10(rough));
  const bar = [1, 2, 5, 10].map((one) => one * power).filter((one) => one <= rough).pop() || power;
  const right = width - 14, y = height - 14;
  pen.strokeStyle = INK; pen.lineWidth = 2;
  pen.beginPath(); pen.moveTo(right - bar * scale, y); pen.lineTo(right, y); pen.stroke();
  pen.fillStyle = INK; pen.textAlign = "right"; pen.textBaseline = "bottom";
  pen.fillText(bar >= 1000 ? `${short(bar / 1000)} mm` : `${short(bar)} µm`, right, y - 3);
}

// title, time and legend within a saved picture or film
export function drawCaption(pen, viewer, width) {
  const { data, legend } = viewer;
  pen.textAlign = "left"; pen.textBaseline = "top"; pen.fillStyle = INK;
  pen.font = "600 13px system-ui, sans-serif";
  pen.fillText(data.title, 12, 10);
  pen.font = "12px system-ui, sans-serif"; pen.fillStyle = SOFT;
  pen.fillText(viewer.timeWords(), 12, 28);
  pen.fillText(legend.title, 12, 45);
  let x = 12;
  if (legend.stops) {
    legend.stops.forEach((colour, k) => { pen.fillStyle = colour; pen.fillRect(12 + 6 * k, 64, 6.5, 9); });
    pen.fillStyle = SOFT;
    pen.fillText(legend.low, 12, 76);
    pen.textAlign = "right";
    pen.fillText(legend.high, 12 + 6 * legend.stops.length, 76);
    return;
  }
  for (const [words, colour] of (legend.items || []).slice(0, 8)) {
    const shown = words.length > 22 ? `${words.slice(0, 21)}…` : words, wide = pen.measureText(shown).width + 26;
    if (x + wide > width) break;
    pen.fillStyle = colour;
    pen.beginPath(); pen.arc(x + 5, 70, 5, 0, 7); pen.fill();
    pen.fillStyle = SOFT; pen.fillText(shown, x + 14, 64);
    x += wide;
  }
}
