// The viewer: what is chosen and shown, and how one thing follows from another.
import { paint } from "./colours.js";
import { FlatStage, projector } from "./flat.js";
import { Orbit } from "./orbit.js";
import { drawOverlay } from "./overlay.js";
import { Panels } from "./panels.js";
import { Film, canFilm, savePicture } from "./save.js";
import { Stage } from "./stage.js";
import { TimeLine } from "./timeline.js";

const SPEEDS = [1, 2, 5, 10, 20, 50, 100], NEAR = 12;

export class Viewer {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.parts = Object.fromEntries([...root.querySelectorAll("[data-part]")].map((one) => [one.dataset.part, one]));
    const shown = new Set(data.shown);
    data.isShown = (n) => shown.has(n);
    this.state = {
      source: data.sources[0], frame: 0, playing: false, speed: 10, colour: "assembly", unit: null, neuron: null,
      region: null, clamped: null, hovered: null, lit: false, hulls: false, lines: true,
    };
    this.orbit = new Orbit(data.places.box, data.places.flat);
    this.stage = this.makeStage();
    this.colours = new Uint8Array(3 * data.neurons);
    this.stands = new Uint8Array(data.neurons);
    this.levels = new Uint8Array(data.neurons);
    this.drawn = 0;
    this.line = new TimeLine(this.parts.timeline, this);
    this.panels = new Panels(this);
    this.connect();
    this.recolour();
    this.panels.fillChosen();
    this.changeSource(0);
    root.dataset.renderer = this.stage.kind;
    root.dataset.state = "ready";
    new ResizeObserver(() => this.later()).observe(this.parts.stage);
  }

  makeStage() {
    const { stage, notice } = this.parts;
    const probe = document.createElement("canvas").getContext("webgl2");
    if (probe) {
      probe.getExtension("WEBGL_lose_context")?.loseContext();
      notice.hidden = true;
      return new Stage(stage, this.data, this.orbit);
    }
    notice.textContent = "This browser has no WebGL: the same neurons are drawn on a plain canvas, more slowly.";
    notice.classList.add("aside");
    return new FlatStage(stage, this.data, this.orbit);
  }

  connect() {
    const { parts, data, state } = this, option = (words, value) => new Option(words, value);
    const colours = [["assembly", "assembly"], ["rate", "rate"], ["weight", "weight of the chosen assembly"], ["activity", "activity of the bin"]];
    if (data.regions.some((name) => name)) colours.splice(1, 0, ["region", "region"]);
    if (data.tuned) colours.push(["tuning", "tuning of its assembly"]);
    parts.colour.replaceChildren(...colours.map(([value, words]) => option(words, value)));
    parts.colour.addEventListener("change", () => this.colourBy(parts.colour.value));
    parts.source.replaceChildren(...data.sources.map((one, number) => option(one.title, number)));
    parts.source.addEventListener("change", () => this.changeSource(Number(parts.source.value)));
    parts.speed.replaceChildren(...SPEEDS.map((one) => option(`${one} bins/s`, one)));
    parts.speed.value = String(state.speed);
    parts.speed.addEventListener("change", () => { state.speed = Number(parts.speed.value); });
    for (const [name, act] of [["lit", () => { this.toldLight = true; }], ["hulls", (on) => this.stage.showHulls(on)], ["lines", () => {}]]) {
      parts[name].checked = state[name];
      parts[name].addEventListener("change", () => { state[name] = parts[name].checked; act(state[name]); this.later(); });
    }
    parts.hulls.closest("label").hidden = !(data.a.hull_faces && data.a.hull_faces.length);
    parts.lines.closest("label").hidden = !data.a.partners;
    const acts = {
      play: () => this.toggle(), back: () => this.stepBy(-1), next: () => this.stepBy(1), home: () => { this.orbit.home(); this.later(); },
      picture: () => this.picture(), video: () => this.film(),
      closer: () => { this.orbit.closer(0.8); this.later(); }, further: () => { this.orbit.closer(1.25); this.later(); },
    };
    for (const [name, act] of Object.entries(acts))
      for (const button of this.root.querySelectorAll(`[data-do="${name}"]`)) button.addEventListener("click", act);
    this.root.querySelector('[data-do="video"]').hidden = !canFilm();
    this.orbit.listen(parts.stage, {
      changed: () => this.later(),
      tapped: (at) => this.tap(at),
      pointed: (at) => { const n = this.neuronAt(at, NEAR * 0.7); if (n !== state.hovered) { state.hovered = n; this.later(); } },
      wheelNeedsCtrl: !("alone" in this.root.dataset),
    });
    parts.stage.addEventListener("pointerleave", () => { if (state.hovered !== null) { state.hovered = null; this.later(); } });
    this.root.addEventListener("keydown", (event) => {
      const typing = /^(INPUT|SELECT|BUTTON)$/.test(event.target.tagName);
      if (event.key === " " && !typing) { event.preventDefault(); this.toggle(); }
      if (event.key === "Escape") this.release();
    });
  }

  // --- what is chosen

  colourBy(name) {
    this.state.colour = name;
    this.parts.colour.value = name;
    if (name === "weight" && this.state.unit === null) { this.chooseUnit(this.data.largest, true); return; }
    this.recolour();
  }
  chooseUnit(unit, keepColour = false) {
    const { state } = this;
    state.unit = unit;
    state.neuron = null;
    state.clamped = null;
    if (!keepColour && unit !== null && !["assembly", "weight"].includes(state.colour)) { state.colour = "assembly"; this.parts.colour.value = "assembly"; }
    this.recolour();
    this.panels.fillChosen();
  }
  chooseNeuron(n) {
    this.state.neuron = n;
    this.state.hovered = null;
    this.panels.fillChosen();
    this.later();
  }
  centre(n) {
    this.orbit.centre(this.data.xyz.subarray(3 * n, 3 * n + 3));
    this.later();
  }
  chooseRegion(number) { this.state.region = number; this.recolour(); }
  clampUnit(side) {
    this.state.clamped = side;
    this.recolour();
    this.panels.fillChosen();
  }
  release() {
    const { state } = this;
    if (state.neuron !== null) { state.neuron = null; }
    else { state.unit = null; state.clamped = null; state.region = null; if (state.colour === "weight") this.parts.colour.value = state.colour = "assembly"; }
    this.recolour();
    this.panels.fillChosen();
  }
  recolour() {
    this.legend = paint(this.data, this.state, this.colours, this.stands);
    this.stage.setColours(this.colours, this.stands);
    this.panels.fillLegend(this.legend);
    this.later();
  }

  neuronAt({ x, y }, near) {
    const { clientWidth, clientHeight } = this.parts.stage;
    this.orbit.place(clientWidth, clientHeight);
    const at = projector(this.orbit.camera, this.data, clientWidth, clientHeight);
    let best = null, least = near;
    for (const n of this.data.shown) {
      const [px, py, depth] = at(n);
      if (depth <= 0) continue;
      // what stands out is easier to hit than what is paled
      const far = Math.hypot(px - x, py - y) + (this.stands[n] < 128 ? 4 : 0);
      if (far < least) { least = far; best = n; }
    }
    return best;
  }
  tap(at) {
    const n = this.neuronAt(at, NEAR);
    if (n === null) this.release();
    else this.chooseNeuron(n);
  }

  // --- time

  changeSource(number) {
    const { state, parts, data } = this;
    this.pause();
    state.source = data.sources[number];
    state.frame = 0;
    parts.source.value = String(number);
    const { timed } = state.source;
    for (const name of ["play"]) this.root.querySelector(`[data-do="${name}"]`).disabled = !timed;
    parts.speed.disabled = !timed;
    this.root.querySelector('[data-do="video"]').disabled = !timed;
    parts.sentence.textContent = state.source.words;
    if (state.colour === "activity") this.recolour();
    this.later();
  }
  // whoever moves in time wants to see who is active, unless told otherwise
  light() {
    if (this.toldLight) return;
    this.toldLight = this.state.lit = this.parts.lit.checked = true;
  }
  seek(frame) {
    const { state } = this;
    this.light();
    state.frame = Math.min(state.source.frames - 1, Math.max(0, frame));
    this.exact = state.frame;
    this.later();
  }
  stepBy(by) { this.pause(); this.seek(this.state.frame + by); }
  toggle() { if (this.state.playing) this.pause(); else this.play(); }
  play() {
    const { state } = this;
    if (!state.source.timed || state.playing) return;
    if (state.frame >= state.source.frames - 1) state.frame = 0;
    this.exact = state.frame;
    this.light();
    state.playing = true;
    this.sayPlaying();
    let before = performance.now();
    const go = (now) => {
      if (!state.playing) return;
      this.exact += (state.speed * Math.max(0, now - before)) / 1000;
      before = now;
      state.frame = Math.min(state.source.frames - 1, Math.floor(this.exact));
      this.draw();
      if (state.frame >= state.source.frames - 1) this.pause();
      requestAnimationFrame(go);
    };
    requestAnimationFrame(go);
  }
  pause() {
    if (!this.state.playing) return;
    this.state.playing = false;
    this.filming?.stop();
    this.sayPlaying();
    this.later();
  }
  sayPlaying() {
    const button = this.root.querySelector('[data-do="play"]'), { playing } = this.state;
    button.textContent = playing ? "Pause" : "Play";
    this.root.dataset.playing = playing;
  }
  timeWords() {
    const { source, frame } = this.state;
    if (!source.timed) return `draw ${frame + 1} of ${source.frames}`;
    const digits = Math.max(0, Math.min(3, Math.ceil(-Math.log10(source.width_s))));
    return `bin ${frame + 1} of ${source.frames}, ${(frame * source.width_s).toFixed(digits)} s`;
  }

  // --- drawing

  later() {
    if (this.waiting || this.state.playing) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }
  draw() {
    const { parts, data, state, stage, root } = this, { source } = state;
    const width = parts.stage.clientWidth, height = parts.stage.clientHeight;
    if (!width || !height) return;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    data.levels(source, state.frame, this.levels);
    const lit = (state.lit || state.colour === "activity") && !state.clamped;
    // silent members of what is chosen stay to be seen
    const fade = state.unit !== null && this.legend.of === state.unit ? 0.35 : 0.72;
    stage.setLevels(this.levels, lit, state.colour === "activity" ? 1 : fade);
    stage.draw(width, height, ratio);
    const over = parts.overlay, [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (over.width !== w || over.height !== h) { over.width = w; over.height = h; }
    const pen = over.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, w, h);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawOverlay(pen, data, this.orbit, state, width, height);
    this.line.draw();
    const band = data.bandAt(source, state.frame);
    parts.time.textContent = `${this.timeWords()}: ${source.counts[state.frame]} active${band && `, ${band}`}`;
    this.filming?.frame();
    this.drawn++;
    Object.assign(root.dataset, {
      frame: state.frame, source: source.name, colour: state.colour, unit: state.unit ?? "", neuron: state.neuron ?? "",
      clamped: state.clamped ?? "", drawn: this.drawn, playing: state.playing,
      view: [this.orbit.yaw, this.orbit.pitch, this.orbit.zoom].map((one) => one.toFixed(3)).join(),
    });
  }

  // --- saving

  fileName() { return `${this.data.title.replace(/[^\w.-]+/g, "_") || "brain"}_${this.state.source.name}_${this.state.frame}`; }
  async picture() {
    const blob = await savePicture(this);
    this.root.dataset.saved = `${blob.type} ${blob.size}`;
  }
  film() {
    const button = this.root.querySelector('[data-do="video"]');
    if (this.filming) { this.pause(); return; }
    this.draw();
    this.filming = new Film(this, (blob) => {
      this.filming = null;
      button.textContent = "Save video";
      this.root.dataset.saved = `${blob.type} ${blob.size}`;
    });
    button.textContent = "Stop the video";
    this.play();
    if (!this.state.playing) this.filming.stop();
  }
}
