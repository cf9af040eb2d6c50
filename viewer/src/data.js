// What the page holds for the viewer: gzip in base64, one script element an array.

const KINDS = {
  uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, float32: Float32Array,
};

async function inflate(text) {
  const raw = atob(text.trim());
  const bytes = new Uint8Array(raw.length);
  for (let k = 0; k < raw.length; k++) bytes[k] = raw.charCodeAt(k);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return (await new Response(stream).arrayBuffer());
}

export async function unpack(page = document) {
  const texts = new Map();
  for (const one of page.querySelectorAll("script[data-viewer]")) texts.set(one.dataset.viewer, one.textContent);
  const header = JSON.parse(new TextDecoder().decode(await inflate(texts.get("header"))));
  const arrays = {};
  await Promise.all(Object.entries(header.arrays).map(async ([name, told]) => {
    arrays[name] = new KINDS[told.type](await inflate(texts.get(name)));
  }));
  return new Data(header, arrays);
}

export class Data {
  constructor(header, arrays) {
    Object.assign(this, header);
    this.a = arrays;
    const { low, step } = header.places;
    const packed = arrays.xyz;
    this.xyz = new Float32Array(packed.length);
    for (let k = 0; k < packed.length; k++) this.xyz[k] = low[k % 3] + step[k % 3] * packed[k];
    // neurons that have a place, in the order in which the stage draws them
    this.shown = [];
    for (let n = 0; n < this.neurons; n++) if ((arrays.known[n >> 3] >> (7 - (n & 7))) & 1) this.shown.push(n);
    this.shown = Uint32Array.from(this.shown);
    this.memberBytes = Math.ceil(this.neurons / 8);
    this.frameBytes = Math.ceil(this.neurons / 8);
    this.sources.forEach((source, number) => {
      source.states = arrays[`states${number}`];
      source.traces = arrays[`traces${number}`];
      source.counts = counts(source.states, source.frames, this.frameBytes);
      source.begins = new Set(source.breaks);
    });
    this.unitNumbers = Array.from({ length: this.hidden }, (_, unit) => unit);
    this.sizes = this.unitNumbers.map((unit) => this.members(unit).length);
    this.placeOfId = new Map(this.ids.map((id, n) => [String(id), n]));
  }

  regionOf(n) { return this.regions[this.a.region[n]]; }
  label(n) { const region = this.regionOf(n); return region ? `${this.ids[n]} · ${region}` : String(this.ids[n]); }
  weight(unit, n) { return this.a.weights[unit * this.neurons + n] * this.weight_step[unit]; }
  isMember(unit, n) { return (this.a.members[unit * this.memberBytes + (n >> 3)] >> (7 - (n & 7))) & 1; }

  members(unit) {
    const found = [], base = unit * this.memberBytes;
    for (let byte = 0; byte < this.memberBytes; byte++) {
      const bits = this.a.members[base + byte];
      if (bits) for (let k = 0; k < 8; k++) if ((bits >> (7 - k)) & 1) found.push(byte * 8 + k);
    }
    return found;
  }

  strongestMembers(unit, most) {
    return this.members(unit).sort((a, b) => Math.abs(this.weight(unit, b)) - Math.abs(this.weight(unit, a))).slice(0, most);
  }

  assembliesOf(n, most) {
    return this.unitNumbers
      .filter((unit) => this.a.weights[unit * this.neurons + n])
      .sort((a, b) => this.isMember(b, n) - this.isMember(a, n) || Math.abs(this.weight(b, n)) - Math.abs(this.weight(a, n)))
      .slice(0, most);
  }

  partnersOf(n) {
    if (!this.a.partners) return [];
    const found = [];
    for (let k = 0; k < this.partners; k++) {
      const value = this.a.couplings[n * this.partners + k] * this.coupling_step[n];
      if (value) found.push([this.a.partners[n * this.partners + k], value]);
    }
    return found;
  }

  regionsOf(unit, most) {
    const count = new Map(), members = this.members(unit);
    for (const n of members) if (this.regionOf(n)) count.set(this.regionOf(n), (count.get(this.regionOf(n)) || 0) + 1);
    return [...count].sort((a, b) => b[1] - a[1]).slice(0, most).map(([name, many]) => [name, many / members.length]);
  }

  // what a unit held at its lower (0) or upper (1) value does to each neuron's probability
  change(unit, side, n) {
    return this.a.held[(2 * unit + side) * this.neurons + n] * this.clamp.step[unit][side];
  }

  largestChanges(unit, side, most) {
    const order = Array.from({ length: this.neurons }, (_, n) => n).filter((n) => this.a.held[(2 * unit + side) * this.neurons + n]);
    const size = (n) => Math.abs(this.a.held[(2 * unit + side) * this.neurons + n]);
    return order.sort((a, b) => size(b) - size(a)).slice(0, most);
  }

  regionChanges(unit, side, most) {
    const sum = new Map();
    for (let n = 0; n < this.neurons; n++) {
      const name = this.regionOf(n);
      if (!name) continue;
      const one = sum.get(name) || [0, 0];
      one[0] += this.change(unit, side, n); one[1]++;
      sum.set(name, one);
    }
    return [...sum].map(([name, [total, many]]) => [name, total / many])
      .filter(([, mean]) => mean).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, most);
  }

  active(source, frame, n) { return (source.states[frame * this.frameBytes + (n >> 3)] >> (7 - (n & 7))) & 1; }

  // how recently each neuron was active: 255 in this bin, less for the three bins before in its segment
  levels(source, frame, into) {
    into.fill(0);
    const shades = source.timed ? [255, 130, 66, 30] : [255];
    for (let back = 0; back < shades.length && frame - back >= 0; back++) {
      const base = (frame - back) * this.frameBytes, shade = shades[back];
      for (let byte = 0; byte < this.frameBytes; byte++) {
        const bits = source.states[base + byte];
        if (!bits) continue;
        for (let k = 0; k < 8; k++) {
          const n = byte * 8 + k;
          if ((bits >> (7 - k)) & 1 && into[n] < shade) into[n] = shade;
        }
      }
      if (source.begins.has(frame - back)) break;
    }
  }

  // the epoch or fold that a frame lies in, "" for none
  bandAt(source, frame) {
    const found = source.bands.find(([first, stop]) => first <= frame && frame < stop);
    return found ? source.band_names[found[2]] : "";
  }

  trace(source, unit, frame) {
    const level = source.traces[unit * source.frames + frame] / 255;
    return source.low[unit] + level * (source.high[unit] - source.low[unit]);
  }
}

function counts(states, frames, stride) {
  const ones = new Uint8Array(256), found = new Uint32Array(frames);
  for (let k = 1; k < 256; k++) ones[k] = ones[k >> 1] + (k & 1);
  for (let frame = 0; frame < frames; frame++) {
    let sum = 0;
    for (let k = frame * stride; k < (frame + 1) * stride; k++) sum += ones[states[k]];
    found[frame] = sum;
  }
  return found;
}
