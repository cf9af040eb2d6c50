// A picture and a short film of what is shown, written by the browser alone.
import { drawCaption } from "./overlay.js";

const FILM_S = 20;

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// stage, overlay and caption on one canvas
export function compose(viewer, into) {
  const { stage, overlay } = viewer.parts;
  if (into.width !== stage.width || into.height !== stage.height) [into.width, into.height] = [stage.width, stage.height];
  const pen = into.getContext("2d"), ratio = stage.width / Math.max(1, stage.clientWidth);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.drawImage(stage, 0, 0);
  pen.drawImage(overlay, 0, 0, stage.width, stage.height);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawCaption(pen, viewer, stage.clientWidth);
}

export async function savePicture(viewer) {
  const canvas = document.createElement("canvas");
  viewer.draw();
  compose(viewer, canvas);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  download(blob, `${viewer.fileName()}.png`);
  return blob;
}

export class Film {
  constructor(viewer, ended) {
    this.viewer = viewer;
    this.canvas = document.createElement("canvas");
    compose(viewer, this.canvas);
    const type = filmType();
    this.recorder = new MediaRecorder(this.canvas.captureStream(30), { mimeType: type, videoBitsPerSecond: 8e6 });
    const pieces = [];
    this.recorder.ondataavailable = (event) => { if (event.data.size) pieces.push(event.data); };
    this.recorder.onstop = () => {
      const blob = new Blob(pieces, { type: "video/webm" });
      download(blob, `${viewer.fileName()}.webm`);
      ended(blob);
    };
    this.recorder.start(500);
    this.timer = setTimeout(() => this.stop(), FILM_S * 1000);
  }

  frame() { compose(this.viewer, this.canvas); }

  stop() {
    clearTimeout(this.timer);
    if (this.recorder.state !== "inactive") this.recorder.stop();
  }
}

const TYPES = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"];
const filmType = () => TYPES.find((one) => MediaRecorder.isTypeSupported(one));
export const canFilm = () => typeof MediaRecorder === "function" && "captureStream" in HTMLCanvasElement.prototype && Boolean(filmType());
