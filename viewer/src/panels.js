// The lists beside the stage: legend, what is chosen, and everything that can be found by name.
import { percent, short, UP, DOWN } from "./colours.js";

const LISTED = 400, MEMBERS = 12, PARTNERS = 12, ASSEMBLIES = 8, CHANGES = 12, REGIONS = 8, NEURONS = 30;

function make(tag, words = "", options = {}) {
  const one = document.createElement(tag);
  if (words !== "") one.textContent = words;
  Object.assign(one, options);
  return one;
}

export class Panels {
  constructor(viewer) {
    this.viewer = viewer;
    viewer.parts.find.addEventListener("input", () => this.fillList());
    this.fillList();
  }

  button(words, act, pressed) {
    const one = make("button", words, { type: "button" });
    one.addEventListener("click", act);
    if (pressed !== undefined) one.setAttribute("aria-pressed", pressed);
    return one;
  }

  fillLegend(legend) {
    const { parts, state } = this.viewer, box = parts.legend;
    box.replaceChildren(make("p", legend.title, { className: "title" }));
    if (legend.stops) {
      const bar = make("div", "", { className: "bar" });
      bar.style.background = `linear-gradient(to right, ${legend.stops.join(",")})`;
      const ends = make("div", "", { className: "ends" });
      ends.append(...[legend.low, legend.middle || "", legend.high].map((words) => make("span", words)));
      box.append(bar, ends);
      return;
    }
    const list = make("ul");
    for (const [words, colour, number] of legend.items) {
      const line = make("li"), dot = make("i");
      dot.style.background = colour;
      if (legend.choosing) {
        const button = this.button("", () => this.viewer.chooseRegion(state.region === number ? null : number), state.region === number);
        button.append(dot, words);
        line.append(button);
      } else line.append(dot, words);
      list.append(line);
    }
    box.append(list);
  }

  fillChosen() {
    const { viewer } = this, { state, parts } = viewer, box = parts.chosen;
    box.replaceChildren();
    if (state.neuron !== null) this.neuron(box, state.neuron);
    else if (state.unit !== null) this.assembly(box, state.unit);
    else box.append(make("p", "Click a neuron, or choose an assembly in the list.", { className: "soft" }));
    this.markList();
  }

  head(box, words, colour) {
    const line = make("div", "", { className: "head" }), title = make("h3");
    if (colour) { const dot = make("i"); dot.style.background = colour; title.append(dot); }
    title.append(words);
    const close = this.button("×", () => this.viewer.release());
    close.setAttribute("aria-label", "let go of what is chosen");
    line.append(title, close);
    box.append(line);
  }

  neuron(box, n) {
    const { viewer } = this, { data } = viewer;
    this.head(box, `Neuron ${data.ids[n]}`);
    const rate = data.a.rate[n], often = `${short(rate / data.width_s)} a second`;
    const region = data.regionOf(n);
    box.append(make("p", `${region ? `${region}; a` : "A"}ctive in ${percent(rate)} of the training bins (${often}).${data.isShown(n) ? "" : " Its place is not known, so it is not drawn."}`));
    if (data.isShown(n)) box.append(this.button("bring it to the middle", () => viewer.centre(n)));
    const units = data.assembliesOf(n, ASSEMBLIES);
    this.rows(box, "assemblies, by weight", units.map((unit) => [
      `${unit}${data.isMember(unit, n) ? "" : " (not a member)"}`, data.weight(unit, n), () => viewer.chooseUnit(unit),
    ]));
    const partners = data.partnersOf(n).slice(0, PARTNERS);
    if (!data.a.partners) box.append(make("p", "Couplings are shown once the run is interpreted: boltzbrain interpret.", { className: "soft" }));
    else this.rows(box, "strongest couplings, nats", partners.map(([other, value]) => [data.label(other), value, () => viewer.chooseNeuron(other)]));
  }

  assembly(box, unit) {
    const { viewer } = this, { data, state } = viewer;
    const colour = data.palette[unit % data.palette.length];
    this.head(box, `Assembly ${unit}`, colour);
    const share = data.sizes[unit] / data.neurons;
    box.append(make("p", `${data.sizes[unit]} members (${percent(share)} of the neurons), ${data.rule}.`));
    const clamp = make("div", "", { className: "hold", role: "group" });
    clamp.setAttribute("aria-label", "hold the hidden unit");
    clamp.append(make("span", "hold the unit"));
    for (const [name, words] of [["", "free"], ["off", "off"], ["on", "on"]])
      clamp.append(this.button(words, () => viewer.clampUnit(name || null), (state.clamped || "") === name));
    if (data.a.held) box.append(clamp);
    if (state.clamped) { this.held(box, unit); return; }
    const regions = data.regionsOf(unit, REGIONS);
    if (regions.length) this.bars(box, "regions of its members", regions);
    this.rows(box, "strongest members, by weight", data.strongestMembers(unit, MEMBERS).map((n) => [
      data.label(n), data.weight(unit, n), () => viewer.chooseNeuron(n),
    ]));
  }

  held(box, unit) {
    const { viewer } = this, { data, state } = viewer, side = state.clamped === "on" ? 1 : 0;
    const value = data.clamp.values[unit][side], support = data.clamp.support[unit]?.[side];
    const rests = data.clamp.how === "exact" ? "summed exactly" : `from ${Math.round(support)} effective ${data.clamp.of}`;
    box.append(make("p", `Held at ${short(value)}; ${rests}. Changes are left out that are not beyond what chance does to one neuron.`, { className: "soft" }));
    if (data.clamp.how !== "exact" && support < 10)
      box.append(make("p", "Hardly ever so: read it with care.", { className: "soft" }));
    const most = data.largestChanges(unit, side, CHANGES);
    if (!most.length) { box.append(make("p", "No neuron follows visibly.")); return; }
    const regions = data.regionChanges(unit, side, REGIONS);
    this.rows(box, "neurons that follow: probability free → held", most.map((n) => {
      const before = data.a.before[n], change = data.change(unit, side, n);
      return [data.label(n), change, () => viewer.chooseNeuron(n), `${short(Number(before.toPrecision(2)))} → ${short(Number(Math.min(1, Math.max(0, before + change)).toPrecision(2)))}`];
    }));
    if (regions.length) this.bars(box, "mean change of each region", regions, true);
  }

  rows(box, title, rows) {
    if (!rows.length) return;
    box.append(make("h4", title));
    const list = make("ul", "", { className: "rows" });
    for (const [words, value, act, shown] of rows) {
      const line = make("li"), button = this.button("", act);
      const number = make("b", shown || short(Number(value.toPrecision(2))));
      number.style.color = value < 0 ? DOWN : "#a84300";
      button.append(make("span", words), number);
      line.append(button);
      list.append(line);
    }
    box.append(list);
  }

  bars(box, title, rows, signed = false) {
    box.append(make("h4", title));
    const most = Math.max(...rows.map(([, value]) => Math.abs(value)), 1e-12), list = make("ul", "", { className: "bars-of" });
    for (const [name, value] of rows) {
      const line = make("li"), bar = make("i");
      bar.style.width = `${(100 * Math.abs(value)) / most}%`;
      bar.style.background = signed ? (value < 0 ? DOWN : UP) : "#8a8a94";
      const room = make("span", "", { className: "room" });
      room.append(bar);
      line.append(make("span", name, { title: name }), room, make("span", signed ? short(Number(value.toPrecision(2))) : `${Math.round(100 * value)} %`));
      list.append(line);
    }
    box.append(list);
  }

  fillList() {
    const { viewer } = this, { data, parts } = viewer, words = parts.find.value.trim().toLowerCase();
    const regions = data.unitNumbers.map((unit) => (data.regionsOfUnits ||= [])[unit] ||= data.regionsOf(unit, 2).map(([name]) => name).join(", "));
    const units = data.order.filter((unit) => !words || String(unit) === words || `assembly ${unit}`.startsWith(words) || regions[unit].toLowerCase().includes(words));
    const lines = units.slice(0, LISTED).map((unit) => {
      const button = this.button("", () => viewer.chooseUnit(viewer.state.unit === unit && viewer.state.neuron === null ? null : unit), false);
      const dot = make("i");
      dot.style.background = data.palette[unit % data.palette.length];
      button.append(dot, make("span", `${unit}`), make("span", `${data.sizes[unit]} members`, { className: "soft" }), make("span", regions[unit], { className: "soft wide" }));
      button.dataset.unit = unit;
      return button;
    });
    const found = [];
    if (words) {
      for (let n = 0; n < data.neurons && found.length < NEURONS; n++) if (String(data.ids[n]).toLowerCase().includes(words)) found.push(n);
      const exact = data.placeOfId.get(parts.find.value.trim());
      if (exact !== undefined) found.unshift(...found.splice(found.indexOf(exact) >= 0 ? found.indexOf(exact) : 0, found.includes(exact) ? 1 : 0), ...(found.includes(exact) ? [] : [exact]));
    }
    for (const n of [...new Set(found)].slice(0, NEURONS)) {
      const button = this.button(`neuron ${data.label(n)}`, () => viewer.chooseNeuron(n), false);
      button.dataset.neuron = n;
      lines.push(button);
    }
    parts.list.replaceChildren(...lines.map((one) => { const line = make("li"); line.append(one); return line; }));
    parts.found.textContent = words ? `${units.length} assemblies, ${found.length} neurons found` : `${data.sizes.filter((one) => one).length} assemblies of ${data.hidden} hidden units, alike ones beside each other`;
    this.markList();
  }

  markList() {
    const { parts, state } = this.viewer;
    for (const one of parts.list.querySelectorAll("button")) {
      const is = one.dataset.unit !== undefined ? Number(one.dataset.unit) === state.unit : Number(one.dataset.neuron) === state.neuron;
      one.setAttribute("aria-pressed", is);
    }
  }
}
