// The camera: turned about a point by pointer, wheel, fingers and keys, with or without WebGL.
import { PerspectiveCamera, Vector3 } from "three";

const FIELD = 32, CLOSEST = 0.04, FARTHEST = 6, PITCH = 0.35;

export class Orbit {
  constructor(box, flat) {
    this.flat = flat;
    this.radius = Math.max(box.radius, 1e-6);
    this.camera = new PerspectiveCamera(FIELD, 1, this.radius * 0.01, this.radius * 40);
    this.middle = new Vector3(...box.middle);
    // the longest axis lies across the picture, the next one upright
    const order = flat ? [0, 1, 2] : [0, 1, 2].sort((a, b) => box.size[b] - box.size[a]);
    const unit = (axis) => new Vector3(...[0, 1, 2].map((k) => (k === axis ? 1 : 0)));
    this.right = unit(order[0]);
    this.up = unit(order[1]);
    this.out = new Vector3().crossVectors(this.right, this.up);
    this.half = flat ? [box.size[0] / 2, box.size[1] / 2] : null;
    // how far it reaches up and down as it is first seen, turned about the upright axis in any way
    this.tall = Math.cos(PITCH) * box.size[order[1]] / 2 + Math.sin(PITCH) * Math.hypot(box.size[order[0]], box.size[order[2]]) / 2;
    this.home();
  }

  home() {
    this.target = this.middle.clone();
    this.yaw = this.flat ? 0 : 0.45;
    this.pitch = this.flat ? 0 : PITCH;
    this.zoom = 1;
  }

  // distance at which everything fits
  get fit() {
    const tall = Math.tan((FIELD * Math.PI) / 360), wide = tall * this.camera.aspect;
    if (this.half) return 1.08 * Math.max(this.half[1] / tall, this.half[0] / wide, this.radius * 0.1);
    return 1.08 * Math.max(this.radius / wide, Math.min(this.radius, 0.88 * this.tall) / tall);
  }
  get distance() { return this.fit * this.zoom; }

  turn(yaw, pitch) {
    if (this.flat) { this.pan(yaw * 120, -pitch * 120, 600); return; }
    this.yaw += yaw;
    this.pitch = Math.min(1.55, Math.max(-1.55, this.pitch + pitch));
  }
  centre(place) { this.target.fromArray(place); }
  closer(factor) { this.zoom = Math.min(FARTHEST, Math.max(CLOSEST, this.zoom * factor)); }
  // by so many pixels of a picture so many pixels tall
  pan(x, y, height) {
    const scale = (2 * this.distance * Math.tan((FIELD * Math.PI) / 360)) / height;
    const across = new Vector3(), upright = new Vector3(), depth = new Vector3();
    this.place();
    this.camera.matrixWorld.extractBasis(across, upright, depth);
    this.target.addScaledVector(across, -x * scale).addScaledVector(upright, y * scale);
  }

  place(width, height) {
    if (width) { this.camera.aspect = width / height; }
    const cos = Math.cos(this.pitch);
    const away = new Vector3()
      .addScaledVector(this.right, cos * Math.sin(this.yaw))
      .addScaledVector(this.up, Math.sin(this.pitch))
      .addScaledVector(this.out, cos * Math.cos(this.yaw));
    this.camera.up.copy(this.up);
    this.camera.position.copy(this.target).addScaledVector(away, this.distance);
    this.camera.near = Math.max(this.distance - 3 * this.radius, this.distance * 0.01);
    this.camera.far = this.distance + 4 * this.radius;
    this.camera.lookAt(this.target);
    this.camera.updateProjectionMatrix();
    this.camera.updateMatrixWorld();
  }

  listen(canvas, { changed, tapped, pointed, wheelNeedsCtrl }) {
    const fingers = new Map();
    let moved = 0, pinch = null;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top, height: box.height };
    };
    const gap = () => {
      const [a, b] = [...fingers.values()];
      return { far: Math.max(10, Math.hypot(a.x - b.x, a.y - b.y)), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    };
    canvas.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, at(event));
      try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer made by a script */ }
      if (fingers.size === 1) moved = 0;
      pinch = fingers.size === 2 ? gap() : null;
    });
    canvas.addEventListener("pointermove", (event) => {
      const now = at(event), was = fingers.get(event.pointerId);
      if (!was) { pointed?.(now); return; }
      fingers.set(event.pointerId, now);
      const [x, y] = [now.x - was.x, now.y - was.y];
      moved += Math.abs(x) + Math.abs(y);
      if (pinch && fingers.size === 2) {
        const two = gap();
        this.closer(pinch.far / two.far);
        this.pan(two.x - pinch.x, two.y - pinch.y, now.height);
        pinch = two;
      } else if (this.flat || event.shiftKey || event.buttons & 6) this.pan(x, y, now.height);
      else this.turn(-x * 0.008, y * 0.008);
      changed();
    });
    const release = (event) => {
      const had = fingers.delete(event.pointerId);
      pinch = null;
      if (had && fingers.size === 0 && event.type === "pointerup" && moved < 5) tapped(at(event));
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      if (wheelNeedsCtrl && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.closer(Math.exp(event.deltaY * 0.0016));
      changed();
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const act = {
        ArrowLeft: () => this.turn(0.12, 0), ArrowRight: () => this.turn(-0.12, 0),
        ArrowUp: () => this.turn(0, -0.12), ArrowDown: () => this.turn(0, 0.12),
        "+": () => this.closer(0.85), "=": () => this.closer(0.85), "-": () => this.closer(1.18), 0: () => this.home(),
      }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
      changed();
    });
  }
}
