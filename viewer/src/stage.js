// The neurons in WebGL: all of them in one draw call, colours and activity in buffers.
import {
  BufferAttribute, BufferGeometry, Color, DoubleSide, GLSL3, Mesh, MeshBasicMaterial, Points,
  RawShaderMaterial, Scene, WebGLRenderer,
} from "three";

const VERTEX = `
precision highp float;
in vec3 position;
in vec4 colour;
in float level;
uniform mat4 modelViewMatrix, projectionMatrix;
uniform float size, pixels, lit, fade, middle, radius;
out vec3 tint;
void main() {
  vec4 seen = modelViewMatrix * vec4(position, 1.0);
  gl_Position = projectionMatrix * seen;
  float bright = mix(1.0, level, lit);
  float wide = size * mix(0.45, 1.0, colour.a) * mix(0.62, mix(1.0, 1.35, lit), bright);
  gl_PointSize = clamp(wide * pixels * projectionMatrix[1][1] / -seen.z, 1.6, 60.0);
  vec3 pale = mix(colour.rgb, vec3(0.87, 0.87, 0.89), fade);
  float far = clamp((-seen.z - middle + radius) / (2.0 * radius), 0.0, 1.0);
  tint = mix(mix(pale, colour.rgb, bright), vec3(1.0), 0.5 * far * far);
}`;
const FRAGMENT = `
precision mediump float;
in vec3 tint;
out vec4 shown;
void main() {
  vec2 place = 2.0 * gl_PointCoord - 1.0;
  float r = dot(place, place);
  if (r > 1.0) discard;
  shown = vec4(tint * (1.0 - 0.22 * r * r), 1.0);
}`;

// without `discard` what lies behind is not worked out: points of few pixels may be square
const SQUARE = `
precision mediump float;
in vec3 tint;
out vec4 shown;
void main() { shown = vec4(tint, 1.0); }`;
const ROUND_FROM = 4.5;

export class Stage {
  constructor(canvas, data, orbit) {
    this.kind = "webgl";
    this.data = data;
    this.orbit = orbit;
    this.renderer = new WebGLRenderer({ canvas, antialias: false, alpha: false, powerPreference: "high-performance" });
    this.renderer.setClearColor(new Color("#ffffff"));
    this.scene = new Scene();
    const many = data.shown.length, geometry = new BufferGeometry();
    const place = new Float32Array(3 * many);
    data.shown.forEach((n, k) => place.set(data.xyz.subarray(3 * n, 3 * n + 3), 3 * k));
    geometry.setAttribute("position", new BufferAttribute(place, 3));
    const add = (name, width) => {
      const one = new BufferAttribute(new Uint8Array(width * many), width, true);
      geometry.setAttribute(name, one);
      return one;
    };
    this.colour = add("colour", 4);
    this.level = add("level", 1);
    this.uniforms = {
      size: { value: orbit.radius * pointSize(data) }, pixels: { value: 300 }, lit: { value: 1 }, fade: { value: 0.72 },
      middle: { value: 1 }, radius: { value: orbit.radius },
    };
    const material = (fragmentShader) => new RawShaderMaterial({
      glslVersion: GLSL3, vertexShader: VERTEX, fragmentShader, uniforms: this.uniforms,
    });
    [this.round, this.square] = [material(FRAGMENT), material(SQUARE)];
    this.points = new Points(geometry, this.round);
    this.points.frustumCulled = false;
    this.scene.add(this.points);
    this.hulls = hulls(data);
    if (this.hulls) this.scene.add(this.hulls);
  }

  setColours(colours, stands) {
    this.data.shown.forEach((n, k) => {
      this.colour.array.set(colours.subarray(3 * n, 3 * n + 3), 4 * k);
      this.colour.array[4 * k + 3] = stands[n];
    });
    this.colour.needsUpdate = true;
  }

  // how far the silent pale to grey is `fade`
  setLevels(levels, lit, fade) {
    this.uniforms.lit.value = lit ? 1 : 0;
    this.uniforms.fade.value = fade;
    const { shown } = this.data, { array } = this.level;
    for (let k = 0; k < shown.length; k++) array[k] = levels[shown[k]];
    this.level.needsUpdate = true;
  }

  showHulls(shown) { if (this.hulls) this.hulls.visible = shown; }

  draw(width, height, ratio) {
    const size = this.renderer.domElement;
    if (size.width !== Math.round(width * ratio) || size.height !== Math.round(height * ratio)) {
      this.renderer.setPixelRatio(ratio);
      this.renderer.setSize(width, height, false);
    }
    this.orbit.place(width, height);
    this.uniforms.pixels.value = (height * ratio) / 2;
    this.uniforms.middle.value = this.orbit.distance;
    const across = this.uniforms.size.value * this.uniforms.pixels.value * this.orbit.camera.projectionMatrix.elements[5];
    this.points.material = across / this.orbit.distance < ROUND_FROM ? this.square : this.round;
    this.renderer.render(this.scene, this.orbit.camera);
  }

  // wait until the picture is really there, for who measures
  finish() { this.renderer.getContext().readPixels(0, 0, 1, 1, 0x1908, 0x1401, new Uint8Array(4)); }
}

// diameter of a neuron over the radius of the brain
export function pointSize(data) {
  // pixels are what drawing many of them by software costs
  const share = data.shown.length > 8000 ? 0.85 : 1.3;
  return Math.min(0.05, Math.max(0.009, (share * data.places.spacing) / data.places.box.radius));
}

function hulls(data) {
  if (!data.a.hull_faces || !data.a.hull_faces.length) return null;
  const faces = data.a.hull_faces, place = new Float32Array(3 * faces.length), colour = new Float32Array(3 * faces.length);
  faces.forEach((n, k) => {
    place.set(data.xyz.subarray(3 * n, 3 * n + 3), 3 * k);
    const region = data.a.hull_region[Math.floor(k / 3)];
    const one = new Color(data.palette[region % data.palette.length]);
    colour.set([one.r, one.g, one.b], 3 * k);
  });
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(place, 3));
  geometry.setAttribute("color", new BufferAttribute(colour, 3));
  const material = new MeshBasicMaterial({ vertexColors: true, transparent: true, opacity: 0.07, side: DoubleSide, depthWrite: false });
  const mesh = new Mesh(geometry, material);
  mesh.frustumCulled = false;
  mesh.visible = false;
  return mesh;
}

