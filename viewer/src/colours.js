// Colours of the neurons and what they mean; the palette is that of the page's figures, handed in by
// the header, and stays apart for the colour-blind.

export const INK = "#1b1b1f", SOFT = "#55555e", LINE = "#dedee4", UP = "#d55e00", DOWN = "#0072b2";
const QUIET = [214, 214, 221], PALE = [226, 226, 232];

export const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
const mix = (a, b, t) => a.map((one, k) => Math.round(one + (b[k] - one) * t));
export const css = (one) => `rgb(${one.join(",")})`;

// light to dark, one hue and falling lightness
const RAMP = [[232, 238, 242], [146, 190, 214], [38, 122, 178], [3, 56, 98]];
export function ramp(t) {
  const place = Math.min(Math.max(t, 0), 1) * (RAMP.length - 1), k = Math.min(Math.floor(place), RAMP.length - 2);
  return mix(RAMP[k], RAMP[k + 1], place - k);
}
// blue below 0, grey at 0, orange above
export function diverging(t) {
  const one = Math.min(Math.max(t, -1), 1);
  return mix(PALE, rgb(one < 0 ? DOWN : UP), Math.sqrt(Math.abs(one)));
}
const steps = (colour, low, high, many = 24) =>
  Array.from({ length: many }, (_, k) => css(colour(low + ((high - low) * k) / (many - 1))));

export const short = (one) => (one === 0 ? "0" : Math.abs(one) < 1e-4 ? one.toExponential(1) : String(Number(one.toPrecision(3))));
export const percent = (one) => `${short(100 * one)} %`;

// Fill in `into` (neuron, rgb) and `stands` (neuron, 255 for those that stand out); return the legend.
export function paint(data, state, into, stands) {
  const put = (n, colour) => { into[3 * n] = colour[0]; into[3 * n + 1] = colour[1]; into[3 * n + 2] = colour[2]; };
  const palette = data.palette.map(rgb), of = (number) => palette[number % palette.length];
  const { colour, unit, clamped } = state;
  stands.fill(255);
  if (clamped) return paintClamp(data, unit, clamped, put, stands);
  if (unit !== null && (colour === "assembly" || colour === "weight")) return paintUnit(data, unit, colour, put, stands, of);
  if (colour === "assembly") {
    for (let n = 0; n < data.neurons; n++) {
      const one = data.a.strongest[n], member = one >= 0 && data.isMember(one, n);
      put(n, member ? of(one) : QUIET);
      if (!member) stands[n] = 90;
    }
    const words = data.hidden > palette.length ? `${palette.length} colours, repeated over ${data.hidden} assemblies; the list gives each one's` : "the list gives each one's colour";
    return { title: `strongest assembly of each neuron (${words})`, items: [["member of none", css(QUIET)]] };
  }
  if (colour === "region") {
    for (let n = 0; n < data.neurons; n++) {
      const name = data.regionOf(n);
      put(n, name ? of(data.a.region[n]) : QUIET);
      if (!name) stands[n] = 90;
      if (state.region !== null && data.a.region[n] !== state.region) { put(n, QUIET); stands[n] = 70; }
    }
    const many = new Map();
    for (let n = 0; n < data.neurons; n++) many.set(data.a.region[n], (many.get(data.a.region[n]) || 0) + 1);
    const items = [...many].sort((a, b) => b[1] - a[1]).map(([number, count]) => {
      const name = data.regions[number];
      return [`${name || "no region"} (${count})`, css(name ? of(number) : QUIET), number];
    });
    const again = items.length > palette.length ? `; ${palette.length} colours, repeated: click one to see it alone` : "";
    return { title: `region (neurons)${again}`, items, choosing: "region" };
  }
  if (colour === "tuning") {
    const many = data.tuned.map(() => 0);
    for (let n = 0; n < data.neurons; n++) {
      const one = data.a.tuned[n];
      put(n, one >= 0 ? of(one) : QUIET);
      if (one < 0) stands[n] = 90; else many[one]++;
    }
    const items = data.tuned.map((name, number) => [`${name} (${many[number]})`, css(of(number))]).filter((_, number) => many[number]);
    return { title: "what the strongest assembly is tuned to most (neurons)", items: [...items, ["nothing", css(QUIET)]] };
  }
  if (colour === "rate") {
    const known = Array.from(data.a.rate).filter((one) => one > 0).sort((a, b) => a - b);
    const at = (share) => known[Math.min(known.length - 1, Math.floor(share * known.length))] || 1e-6;
    const low = Math.log(at(0.02)), high = Math.max(Math.log(at(0.98)), low + 1e-6);
    for (let n = 0; n < data.neurons; n++) put(n, data.a.rate[n] > 0 ? ramp((Math.log(data.a.rate[n]) - low) / (high - low)) : RAMP[0]);
    return { title: "active share of the training bins, on a log scale", stops: steps(ramp, 0, 1), low: percent(Math.exp(low)), high: percent(Math.exp(high)) };
  }
  for (let n = 0; n < data.neurons; n++) put(n, rgb(UP));
  const timed = state.source.timed ? "; paler: in one of the three bins before" : "";
  return { title: `active in this ${state.source.timed ? "bin" : "sample"}${timed}`, items: [["active", UP], ["silent", css(PALE)]] };
}

function paintUnit(data, unit, colour, put, stands, of) {
  let most = 1e-12;
  for (let n = 0; n < data.neurons; n++) most = Math.max(most, Math.abs(data.weight(unit, n)));
  for (let n = 0; n < data.neurons; n++) {
    const weight = data.weight(unit, n), member = data.isMember(unit, n);
    put(n, colour === "weight" ? diverging(weight / most) : member ? (weight < 0 ? rgb(DOWN) : rgb(UP)) : QUIET);
    if (!member) stands[n] = colour === "weight" ? 150 : 60;
  }
  if (colour === "weight")
    return { of: unit, title: `weight of assembly ${unit}`, stops: steps(diverging, -1, 1), low: short(-most), middle: "0", high: short(most) };
  return { of: unit, title: `members of assembly ${unit}`, items: [["positive weight", UP], ["negative weight", DOWN], ["others", css(QUIET)]] };
}

function paintClamp(data, unit, clamped, put, stands) {
  const side = clamped === "on" ? 1 : 0, step = data.clamp.step[unit][side], most = 127 * step || 1e-12;
  for (let n = 0; n < data.neurons; n++) {
    const change = data.change(unit, side, n);
    put(n, diverging(change / most));
    if (Math.abs(change) < 0.05 * most) stands[n] = 80;
  }
  return { title: `change of each neuron's probability to be active, assembly ${unit} held ${clamped}`, stops: steps(diverging, -1, 1), low: short(-most), middle: "0", high: short(most) };
}
