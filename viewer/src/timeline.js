// The time line: how many neurons are active, epochs, the chosen hidden unit, all of them as shades.
import { INK, SOFT, UP, short } from "./colours.js";

const LEFT = 72, RIGHT = 8, AXIS = 18, COUNT = 54, UNIT = 40, BAND = 15, GAP = 8, BLUE = "#0072b2";

export class TimeLine {
  constructor(canvas, viewer) {
    this.canvas = canvas;
    this.viewer = viewer;
    this.drawn = document.createElement("canvas");
    this.key = "";
    let held = false;
    const seek = (event) => {
      const box = canvas.getBoundingClientRect(), { source } = viewer.state;
      const part = (event.clientX - box.left - LEFT) / Math.max(1, box.width - LEFT - RIGHT);
      viewer.seek(Math.floor(part * source.frames));
    };
    canvas.addEventListener("pointerdown", (event) => {
      held = true;
      try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer made by a script */ }
      viewer.pause();
      seek(event);
      const unit = this.unitAt(event);
      if (unit !== null) viewer.chooseUnit(unit);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (held) { seek(event); return; }
      const box = canvas.getBoundingClientRect(), { source } = viewer.state;
      const part = (event.clientX - box.left - LEFT) / Math.max(1, box.width - LEFT - RIGHT);
      canvas.title = viewer.data.bandAt(source, Math.floor(part * source.frames));
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { held = false; });
    canvas.addEventListener("keydown", (event) => {
      const { frame, source } = viewer.state, page = Math.max(1, Math.round(source.frames / 20));
      const to = {
        ArrowLeft: frame - 1, ArrowDown: frame - 1, ArrowRight: frame + 1, ArrowUp: frame + 1,
        PageDown: frame - page, PageUp: frame + page, Home: 0, End: source.frames - 1,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      viewer.pause();
      viewer.seek(to);
    });
  }

  get shades() { return this.viewer.data.hidden ? Math.min(90, Math.max(24, 2 * this.viewer.data.hidden)) : 0; }
  get bands() { return this.viewer.state.source.bands.length ? BAND : 0; }
  get height() { return COUNT + this.bands + (this.viewer.state.unit === null ? 0 : UNIT + GAP) + (this.shades ? this.shades + GAP : 0) + AXIS; }

  unitAt(event) {
    const y = event.clientY - this.canvas.getBoundingClientRect().top, top = this.height - AXIS - this.shades;
    if (!this.shades || y < top || y >= top + this.shades) return null;
    const { order } = this.viewer.data;
    return order[Math.min(order.length - 1, Math.floor(((y - top) / this.shades) * order.length))];
  }

  draw() {
    const { canvas, viewer } = this, { state, data } = viewer, { source } = state;
    const ratio = Math.min(window.devicePixelRatio || 1, 2), width = canvas.clientWidth, height = this.height;
    const key = [width, height, ratio, state.unit, source.name].join();
    if (key !== this.key) {
      this.key = key;
      canvas.style.height = `${height}px`;
      for (const one of [canvas, this.drawn]) { one.width = Math.round(width * ratio); one.height = Math.round(height * ratio); }
      this.picture(this.drawn.getContext("2d"), ratio, width, height);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(this.drawn, 0, 0);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const x = LEFT + ((state.frame + 0.5) / source.frames) * (width - LEFT - RIGHT);
    pen.strokeStyle = INK; pen.lineWidth = 1.5;
    pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, height - AXIS); pen.stroke();
    pen.fillStyle = INK;
    pen.beginPath(); pen.moveTo(x - 5, 0); pen.lineTo(x + 5, 0); pen.lineTo(x, 7); pen.fill();
    canvas.setAttribute("aria-valuemax", source.frames - 1);
    canvas.setAttribute("aria-valuenow", state.frame);
    canvas.setAttribute("aria-valuetext", `${viewer.timeWords()}, ${source.counts[state.frame]} of ${data.neurons} neurons active`);
  }

  picture(pen, ratio, width, height) {
    const { viewer } = this, { state, data } = viewer, { source } = state, inner = width - LEFT - RIGHT;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "11px system-ui, sans-serif";
    const at = (frame) => LEFT + (frame / source.frames) * inner;
    let top = 0;
    const label = (words, y) => { pen.fillStyle = SOFT; pen.textAlign = "right"; pen.textBaseline = "middle"; pen.fillText(words, LEFT - 5, y); };
    const most = Math.max(1, source.counts.reduce((a, b) => Math.max(a, b), 0));
    this.area(pen, source.frames, inner, top + 2, COUNT - 2, (frame) => source.counts[frame] / most, BLUE);
    label("active", top + COUNT / 2 - 7); label(`0 to ${most}`, top + COUNT / 2 + 7);
    top += COUNT;
    if (this.bands) {
      this.stretches(pen, source, at, top + 1, BAND - 1, data.palette);
      label(source.named, top + BAND / 2);
      top += BAND;
    }
    top += GAP;
    if (state.unit !== null) {
      const span = source.high[state.unit] - source.low[state.unit];
      const tidy = (one) => (Math.abs(one) < 0.01 * span ? "0" : short(Number(one.toPrecision(2))));
      this.area(pen, source.frames, inner, top, UNIT, (frame) => source.traces[state.unit * source.frames + frame] / 255, UP);
      label(`unit ${state.unit}`, top + UNIT / 2 - 7);
      label(`${tidy(source.low[state.unit])} to ${tidy(source.high[state.unit])}`, top + UNIT / 2 + 7);
      top += UNIT + GAP;
    }
    if (this.shades) {
      this.heat(pen, ratio, source, inner, top);
      label("hidden", top + this.shades / 2 - 7); label("units", top + this.shades / 2 + 7);
      if (state.unit !== null) {
        const y = top + ((data.order.indexOf(state.unit) + 0.5) / data.hidden) * this.shades;
        pen.fillStyle = UP;
        pen.beginPath(); pen.moveTo(LEFT - 4, y - 4); pen.lineTo(LEFT, y); pen.lineTo(LEFT - 4, y + 4); pen.fill();
      }
      top += this.shades;
    } else top -= GAP;
    if (source.timed && source.breaks.length * 5 < inner) {
      pen.strokeStyle = "rgba(27,27,31,.3)"; pen.lineWidth = 0.8; pen.beginPath();
      for (const frame of source.breaks) { pen.moveTo(at(frame), 0); pen.lineTo(at(frame), top); }
      pen.stroke();
    }
    this.ticks(pen, source, at, inner, top, width);
  }

  stretches(pen, source, at, top, tall, palette) {
    pen.textAlign = "center"; pen.textBaseline = "middle";
    for (const [first, stop, number] of source.bands) {
      const left = at(first), wide = Math.max(1, at(stop) - left), name = source.band_names[number];
      pen.globalAlpha = 0.4;
      pen.fillStyle = palette[number % palette.length];
      pen.fillRect(left, top, wide, tall);
      pen.globalAlpha = 1;
      pen.fillStyle = INK;
      if (pen.measureText(name).width < wide - 4) pen.fillText(name, left + wide / 2, top + tall / 2 + 0.5);
    }
  }

  area(pen, frames, inner, top, tall, value, colour) {
    // the largest value within a pixel, so that no burst is lost
    const columns = Math.max(1, Math.floor(inner));
    pen.fillStyle = colour;
    pen.globalAlpha = 0.22;
    const heights = new Float32Array(columns);
    for (let x = 0; x < columns; x++) {
      const first = Math.floor((x / columns) * frames), last = Math.max(first + 1, Math.floor(((x + 1) / columns) * frames));
      for (let frame = first; frame < last; frame++) heights[x] = Math.max(heights[x], value(frame));
      pen.fillRect(LEFT + x, top + tall * (1 - heights[x]), 1, tall * heights[x]);
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = colour; pen.lineWidth = 1.1; pen.beginPath();
    heights.forEach((one, x) => (x ? pen.lineTo(LEFT + x + 0.5, top + tall * (1 - one)) : pen.moveTo(LEFT + 0.5, top + tall * (1 - one))));
    pen.stroke();
  }

  heat(pen, ratio, source, inner, top) {
    const { order, hidden } = this.viewer.data, columns = Math.max(1, Math.min(source.frames, Math.floor(inner)));
    const rows = Math.min(hidden, Math.round(this.shades * ratio)), picture = document.createElement("canvas");
    [picture.width, picture.height] = [columns, rows];
    const draw = picture.getContext("2d"), image = draw.createImageData(columns, rows);
    for (let row = 0; row < rows; row++) {
      const begin = Math.floor((row / rows) * hidden), end = Math.max(begin + 1, Math.floor(((row + 1) / rows) * hidden));
      for (let x = 0; x < columns; x++) {
        const first = Math.floor((x / columns) * source.frames), last = Math.max(first + 1, Math.floor(((x + 1) / columns) * source.frames));
        let level = 0;
        for (let place = begin; place < end; place++)
          for (let frame = first; frame < last; frame++) level += source.traces[order[place] * source.frames + frame];
        const t = level / (255 * (end - begin) * (last - first)), k = 4 * (row * columns + x);
        image.data.set([255 - 79 * t, 255 - 186 * t, 255 - 255 * t, 255], k);
      }
    }
    draw.putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(picture, LEFT, top, inner, this.shades);
    pen.strokeStyle = "#dedee4"; pen.lineWidth = 1;
    pen.strokeRect(LEFT - 0.5, top - 0.5, inner + 1, this.shades + 1);
  }

  ticks(pen, source, at, inner, top, width) {
    const scale = source.timed ? source.width_s : 1;
    const rough = (source.frames * scale) / Math.max(2, inner / 110), power = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max([1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) || power, source.timed ? 0 : 1);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    pen.fillStyle = SOFT; pen.strokeStyle = SOFT; pen.lineWidth = 1; pen.textAlign = "center"; pen.textBaseline = "top";
    for (let k = 0; k * step <= source.frames * scale + 1e-9; k++) {
      const x = at((k * step) / scale), words = (k * step).toFixed(digits), half = pen.measureText(words).width / 2;
      pen.beginPath(); pen.moveTo(x, top); pen.lineTo(x, top + 3); pen.stroke();
      if (x + half < width - 22) pen.fillText(words, x, top + 5);
    }
    pen.textAlign = "right";
    pen.fillText(source.timed ? "s" : "draw", width, top + 5);
  }
}
