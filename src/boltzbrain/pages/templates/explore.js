"use strict";
(() => {
  const data = JSON.parse(document.getElementById("explore-data").textContent);
  const box = document.getElementById("explorer");
  const raster = document.getElementById("explore-raster");
  const traces = document.getElementById("explore-traces");
  const line = document.getElementById("explore-line");
  const readout = document.getElementById("explore-readout");
  const unitText = document.getElementById("explore-unit");
  const LEFT = 12, BOTTOM = 26, SHORTEST = 8, FEWEST = 6;
  const INK = "#1b1b1f", SOFT = "#55555e", DOT = [0x00, 0x72, 0xb2], UNIT = "#d55e00";

  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const packed = bytes(data.raster), stride = Math.ceil(data.bins / 8);
  const level = bytes(data.traces);
  const active = (neuron, bin) => (packed[neuron * stride + (bin >> 3)] >> (7 - (bin & 7))) & 1;

  // for each bin the neurons that are active in it, one after the other
  const start = new Uint32Array(data.bins + 1);
  for (let neuron = 0; neuron < data.neurons; neuron++)
    for (let bin = 0; bin < data.bins; bin++) start[bin + 1] += active(neuron, bin);
  for (let bin = 0; bin < data.bins; bin++) start[bin + 1] += start[bin];
  const rows = new Uint16Array(start[data.bins]), next = start.slice();
  for (let neuron = 0; neuron < data.neurons; neuron++)
    for (let bin = 0; bin < data.bins; bin++) if (active(neuron, bin)) rows[next[bin]++] = neuron;

  const whole = { t0: 0, t1: data.bins, n0: 0, n1: data.neurons };
  let view = { ...whole }, chosen = 0, hover = null, marked = null, waiting = false;
  for (let unit = 1, best = -1; unit < data.hidden; unit++) {
    const span = data.high[unit] - data.low[unit];
    if (span > best) { best = span; chosen = unit; }
  }

  function fit(canvas, height) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2), width = canvas.clientWidth;
    const w = Math.max(1, Math.round(width * ratio)), h = Math.round(height * ratio);
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
    canvas.style.height = height + "px";
    return { ratio, width, height, inner: width - LEFT, tall: height - BOTTOM };
  }
  const rasterHeight = () => (window.innerWidth < 640 ? 330 : 460);

  function set(wanted) {
    const keep = (low, high, limit, least) => {
      const span = Math.min(limit, Math.max(least, high - low));
      const first = Math.min(Math.max(0, (low + high - span) / 2), limit - span);
      return [first, first + span];
    };
    const [t0, t1] = keep(wanted.t0, wanted.t1, data.bins, Math.min(SHORTEST, data.bins));
    const [n0, n1] = keep(wanted.n0, wanted.n1, data.neurons, Math.min(FEWEST, data.neurons));
    view = { t0, t1, n0, n1 };
    later();
  }
  function later() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }
  function zoom(factor, t, n) {
    const at = (low, high, middle) => [middle - (middle - low) * factor, middle + (high - middle) * factor];
    const [t0, t1] = at(view.t0, view.t1, t ?? (view.t0 + view.t1) / 2);
    const [n0, n1] = at(view.n0, view.n1, n ?? (view.n0 + view.n1) / 2);
    set({ t0, t1, n0, n1 });
  }
  function move(byTime, byNeurons) {
    const t = byTime * (view.t1 - view.t0), n = byNeurons * (view.n1 - view.n0);
    const dt = Math.min(Math.max(t, -view.t0), data.bins - view.t1);
    const dn = Math.min(Math.max(n, -view.n0), data.neurons - view.n1);
    set({ t0: view.t0 + dt, t1: view.t1 + dt, n0: view.n0 + dn, n1: view.n1 + dn });
  }

  function timeAxis(pen, size) {
    const span = (view.t1 - view.t0) * data.width_s, rough = span / Math.max(2, size.inner / 110);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
    pen.fillStyle = SOFT; pen.strokeStyle = SOFT; pen.lineWidth = 1;
    pen.font = "11px system-ui, sans-serif"; pen.textAlign = "center"; pen.textBaseline = "top";
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    for (let k = Math.ceil((view.t0 * data.width_s) / step - 1e-9); ; k++) {
      const bin = (k * step) / data.width_s;
      if (bin > view.t1 + 1e-9) break;
      const x = LEFT + ((bin - view.t0) / (view.t1 - view.t0)) * size.inner;
      pen.beginPath(); pen.moveTo(x, size.tall); pen.lineTo(x, size.tall + 4); pen.stroke();
      const text = (k * step).toFixed(digits), half = pen.measureText(text).width / 2;
      pen.fillText(text, Math.min(Math.max(x, half), size.width - half - 8), size.tall + 6);
    }
    pen.textAlign = "right"; pen.fillText("s", size.width, size.tall + 6);
  }
  function segmentLines(pen, size) {
    const wide = size.inner / (view.t1 - view.t0);
    const shown = data.breaks.filter((bin) => bin > view.t0 && bin < view.t1);
    if (shown.length * 6 > size.inner) return;
    pen.strokeStyle = "rgba(27,27,31,.28)"; pen.lineWidth = 0.7; pen.beginPath();
    for (const bin of shown) {
      const x = LEFT + (bin - view.t0) * wide;
      pen.moveTo(x, 0); pen.lineTo(x, size.tall);
    }
    pen.stroke();
  }
  function paint(canvas, size, fill) {
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const w = Math.max(1, Math.round(size.inner * size.ratio)), h = Math.round(size.tall * size.ratio);
    const image = pen.createImageData(w, h);
    fill(new Uint32Array(image.data.buffer), w, h);
    pen.putImageData(image, Math.round(LEFT * size.ratio), 0);
    pen.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
    return pen;
  }
  const colour = (r, g, b) => (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;

  function drawRaster() {
    const size = fit(raster, rasterHeight());
    const pen = paint(raster, size, (pixels, w, h) => {
      pixels.fill(0xffffffff);
      const wide = w / (view.t1 - view.t0), tall = h / (view.n1 - view.n0), dot = colour(...DOT);
      const least = size.ratio > 1 ? 2 : 1;
      const first = Math.floor(view.t0), last = Math.min(data.bins, Math.ceil(view.t1));
      const cells = 1 / (wide * tall);
      if (cells > 2) {
        // more than one neuron and bin to a pixel: the shade tells how many of them are active
        const counts = new Uint16Array(w * h), full = Math.max(1.5, 0.3 * cells);
        for (let bin = first; bin < last; bin++) {
          const x = Math.min(w - 1, Math.max(0, Math.floor((bin - view.t0) * wide)));
          for (let place = start[bin]; place < start[bin + 1]; place++) {
            const row = rows[place];
            if (row < view.n0 || row >= view.n1) continue;
            counts[Math.min(h - 1, Math.floor((row - view.n0) * tall)) * w + x]++;
          }
        }
        const mix = (to, part) => Math.round(255 + (to - 255) * part);
        for (let k = 0; k < counts.length; k++) {
          if (!counts[k]) continue;
          const part = Math.min(1, 0.12 + (0.88 * counts[k]) / full);
          pixels[k] = colour(mix(DOT[0], part), mix(DOT[1], part), mix(DOT[2], part));
        }
        return;
      }
      for (let bin = first; bin < last; bin++) {
        const x0 = Math.max(0, Math.floor((bin - view.t0) * wide));
        const x1 = Math.min(w, Math.max(x0 + least, Math.ceil((bin + 1 - view.t0) * wide) - (wide > 6 ? 1 : 0)));
        for (let place = start[bin]; place < start[bin + 1]; place++) {
          const row = rows[place];
          if (row + 1 <= view.n0 || row >= view.n1) continue;
          const y0 = Math.max(0, Math.floor((row - view.n0) * tall));
          const y1 = Math.min(h, Math.max(y0 + least, Math.ceil((row + 1 - view.n0) * tall) - (tall > 6 ? 1 : 0)));
          for (let y = y0; y < y1; y++) pixels.fill(dot, y * w + x0, y * w + x1);
        }
      }
    });
    segmentLines(pen, size);
    const tall = size.tall / (view.n1 - view.n0);
    for (let row = Math.floor(view.n0); row < view.n1; ) {
      let end = row + 1;
      while (end < data.neurons && data.region[end] === data.region[row]) end++;
      const y0 = Math.max(0, (row - view.n0) * tall), y1 = Math.min(size.tall, (end - view.n0) * tall);
      const name = data.regions[data.region[row]];
      if (name) {
        pen.fillStyle = data.colours[data.region[row]];
        pen.fillRect(0, y0, LEFT - 4, Math.max(1, y1 - y0 - 0.5));
      }
      if (name && y1 - y0 > 13) {
        pen.font = "600 11px system-ui, sans-serif"; pen.textAlign = "left"; pen.textBaseline = "top";
        const shown = name.length > 24 ? name.slice(0, 23) + "…" : name, wide = pen.measureText(shown).width;
        pen.fillStyle = "rgba(255,255,255,.85)"; pen.fillRect(LEFT, y0, wide + 6, 14);
        pen.fillStyle = INK; pen.fillText(shown, LEFT + 3, y0 + 1);
      }
      row = end;
    }
    if (hover) {
      pen.strokeStyle = "rgba(27,27,31,.45)"; pen.lineWidth = 0.8; pen.beginPath();
      const x = LEFT + ((hover.bin + 0.5 - view.t0) / (view.t1 - view.t0)) * size.inner;
      pen.moveTo(x, 0); pen.lineTo(x, size.tall);
      if (hover.neuron !== null) {
        const y = (hover.neuron + 0.5 - view.n0) * tall;
        pen.moveTo(LEFT, y); pen.lineTo(size.width, y);
      }
      pen.stroke();
    }
    if (marked) {
      pen.fillStyle = "rgba(0,114,178,.14)"; pen.strokeStyle = "#0072b2";
      const [x, y] = [Math.min(marked.x0, marked.x1), Math.min(marked.y0, marked.y1)];
      const [w, h] = [Math.abs(marked.x1 - marked.x0), Math.abs(marked.y1 - marked.y0)];
      pen.fillRect(x, y, w, h); pen.strokeRect(x, y, w, h);
    }
    timeAxis(pen, size);
  }

  const shades = new Uint32Array(256);
  for (let k = 0; k < 256; k++) {
    const t = k / 255, mix = (a, b) => Math.round(a + (b - a) * t);
    shades[k] = colour(mix(255, 0xb0), mix(255, 0x45), mix(255, 0x00));
  }
  function drawTraces() {
    if (!data.hidden) return;
    const size = fit(traces, Math.min(340, Math.max(120, data.hidden * 4 + BOTTOM)));
    const pen = paint(traces, size, (pixels, w, h) => {
      for (let y = 0; y < h; y++) {
        const base = Math.min(data.hidden - 1, Math.floor((y / h) * data.hidden)) * data.bins;
        for (let x = 0; x < w; x++) {
          const bin = Math.min(data.bins - 1, Math.floor(view.t0 + ((x + 0.5) / w) * (view.t1 - view.t0)));
          pixels[y * w + x] = shades[level[base + bin]];
        }
      }
    });
    segmentLines(pen, size);
    const y = ((chosen + 0.5) / data.hidden) * size.tall;
    pen.fillStyle = UNIT; pen.beginPath();
    pen.moveTo(0, y - 5); pen.lineTo(LEFT - 3, y); pen.lineTo(0, y + 5); pen.fill();
    timeAxis(pen, size);
    drawLine();
  }
  const short = (one) => (Math.abs(one) < 0.0005 ? "0" : String(Number(one.toPrecision(3))));
  const value = (unit, bin) =>
    data.low[unit] + (level[unit * data.bins + bin] / 255) * (data.high[unit] - data.low[unit]);
  function drawLine() {
    const size = fit(line, 130), pen = line.getContext("2d");
    pen.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
    pen.clearRect(0, 0, size.width, size.height);
    segmentLines(pen, size);
    const wide = size.inner / (view.t1 - view.t0), edges = new Set(data.breaks);
    const y = (bin) => 6 + (1 - level[chosen * data.bins + bin] / 255) * (size.tall - 12);
    pen.strokeStyle = UNIT; pen.lineWidth = 1.4; pen.beginPath();
    for (let bin = Math.floor(view.t0), first = true; bin < Math.min(data.bins, Math.ceil(view.t1)); bin++) {
      const x = LEFT + (bin + 0.5 - view.t0) * wide;
      if (first || edges.has(bin)) pen.moveTo(x, y(bin)); else pen.lineTo(x, y(bin));
      first = false;
    }
    pen.stroke();
    pen.fillStyle = "#fff"; pen.fillRect(0, 0, LEFT - 1, size.tall);
    timeAxis(pen, size);
    const bin = hover ? hover.bin : null, number = data.units[chosen];
    unitText.textContent = `Hidden unit ${number}: from ${short(data.low[chosen])} to ${short(data.high[chosen])}`
      + (bin === null ? "" : `; ${short(value(chosen, bin))} at ${(bin * data.width_s).toFixed(2)} s`);
  }
  function draw() {
    drawRaster(); drawTraces();
    box.dataset.view = [view.t0, view.t1, view.n0, view.n1].map((one) => one.toFixed(2)).join(",");
    box.dataset.unit = data.hidden ? data.units[chosen] : "";
  }

  const place = (canvas, event) => {
    const edge = canvas.getBoundingClientRect();
    return { x: event.clientX - edge.left, y: event.clientY - edge.top, width: edge.width, height: edge.height };
  };
  const timeAt = (x, width) => view.t0 + ((x - LEFT) / (width - LEFT)) * (view.t1 - view.t0);
  const neuronAt = (y, height) => view.n0 + (y / (height - BOTTOM)) * (view.n1 - view.n0);
  const within = (one, limit) => Math.min(limit - 1, Math.max(0, Math.floor(one)));

  function point(canvas, event) {
    const at = place(canvas, event), bin = within(timeAt(at.x, at.width), data.bins);
    if (canvas === raster) {
      const neuron = within(neuronAt(at.y, at.height), data.neurons);
      const region = data.regions[data.region[neuron]];
      hover = { bin, neuron };
      readout.textContent = `Neuron ${data.ids[neuron]}${region ? " in " + region : ""}, ${(bin * data.width_s).toFixed(2)} s: ${active(neuron, bin) ? "active" : "silent"}`;
    } else {
      const unit = within((at.y / (at.height - BOTTOM)) * data.hidden, data.hidden);
      hover = { bin, neuron: null };
      readout.textContent = `Hidden unit ${data.units[unit]}, ${(bin * data.width_s).toFixed(2)} s: ${short(value(unit, bin))}`;
    }
    later();
  }

  const fingers = new Map();
  let pinch = null;
  function gap() {
    const [a, b] = [...fingers.values()];
    return { far: Math.max(20, Math.hypot(a.x - b.x, a.y - b.y)), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  }
  raster.addEventListener("pointerdown", (event) => {
    const at = place(raster, event);
    fingers.set(event.pointerId, at);
    if (fingers.size === 2) { marked = null; pinch = gap(); return; }
    if (event.pointerType === "mouse" && event.button === 0) {
      marked = { x0: at.x, y0: at.y, x1: at.x, y1: at.y };
      raster.setPointerCapture(event.pointerId);
    } else point(raster, event);
  });
  raster.addEventListener("pointermove", (event) => {
    const at = place(raster, event);
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, at);
    if (pinch && fingers.size === 2) {
      const now = gap();
      zoom(pinch.far / now.far, timeAt(now.x, at.width), neuronAt(now.y, at.height));
      move((pinch.x - now.x) / (at.width - LEFT), (pinch.y - now.y) / (at.height - BOTTOM));
      pinch = now;
      return;
    }
    if (marked) { marked.x1 = Math.max(LEFT, at.x); marked.y1 = Math.min(at.height - BOTTOM, at.y); }
    point(raster, event);
  });
  function release(event) {
    fingers.delete(event.pointerId);
    if (fingers.size < 2) pinch = null;
    if (!marked) return;
    const at = place(raster, event), area = marked;
    marked = null;
    if (event.type === "pointerup" && Math.abs(area.x1 - area.x0) > 6 && Math.abs(area.y1 - area.y0) > 6) {
      const [t0, t1] = [area.x0, area.x1].map((x) => timeAt(x, at.width)).sort((a, b) => a - b);
      const [n0, n1] = [area.y0, area.y1].map((y) => neuronAt(y, at.height)).sort((a, b) => a - b);
      set({ t0, t1, n0, n1 });
    } else later();
  }
  raster.addEventListener("pointerup", release);
  raster.addEventListener("pointercancel", release);
  raster.addEventListener("dblclick", () => set(whole));
  raster.addEventListener("pointerleave", () => { if (!marked) { hover = null; later(); } });
  raster.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const at = place(raster, event);
    zoom(Math.exp(event.deltaY * 0.002), timeAt(at.x, at.width), neuronAt(at.y, at.height));
  }, { passive: false });
  if (data.hidden) {
    traces.addEventListener("pointermove", (event) => point(traces, event));
    traces.addEventListener("pointerleave", () => { hover = null; later(); });
    const choose = (unit) => { chosen = within(unit, data.hidden); later(); };
    traces.addEventListener("click", (event) => {
      const at = place(traces, event);
      choose((at.y / (at.height - BOTTOM)) * data.hidden);
    });
    traces.addEventListener("keydown", (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (by) { event.preventDefault(); choose(chosen + by); }
    });
  }
  const actions = {
    in: () => zoom(0.5), out: () => zoom(2), left: () => move(-0.5, 0), right: () => move(0.5, 0),
    up: () => move(0, -0.5), down: () => move(0, 0.5), all: () => set(whole),
  };
  const keys = { "+": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", Escape: "all" };
  raster.addEventListener("keydown", (event) => {
    if (keys[event.key]) { event.preventDefault(); actions[keys[event.key]](); }
  });
  for (const button of box.querySelectorAll("button")) button.addEventListener("click", () => actions[button.dataset.do]());
  new ResizeObserver(later).observe(raster);
  window.addEventListener("beforeprint", draw);
  draw();
})();
