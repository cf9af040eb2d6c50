// Begins the viewer when it comes near the window: its data take a moment to unpack.
import { unpack } from "./data.js";
import { Viewer } from "./viewer.js";

async function begin(root) {
  const notice = root.querySelector('[data-part="notice"]');
  if (typeof DecompressionStream === "undefined") {
    notice.textContent = "This browser is too old to unpack the activity (it has no DecompressionStream).";
    return;
  }
  try {
    root.viewer = new Viewer(root, await unpack());
  } catch (error) {
    notice.hidden = false;
    notice.textContent = `The viewer could not begin: ${error.message}`;
    throw error;
  }
}

for (const root of document.querySelectorAll(".viewer")) {
  const watcher = new IntersectionObserver((seen) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    watcher.disconnect();
    begin(root);
  }, { rootMargin: "600px" });
  watcher.observe(root);
}
