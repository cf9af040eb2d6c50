"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const menu = byId("menu"), contents = byId("contents");
  const links = [...contents.querySelectorAll("a")];
  const show = (open) => {
    contents.classList.toggle("open", open);
    menu.setAttribute("aria-expanded", String(open));
  };
  menu.addEventListener("click", () => show(!contents.classList.contains("open")));
  contents.addEventListener("click", (event) => { if (event.target.tagName === "A") show(false); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") show(false); });

  // a link that is shared leads to a check that may be folded
  function unfold() {
    const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", unfold);
  unfold();

  const button = byId("unfold"), checks = [...document.querySelectorAll("details.check")];
  const failed = checks.filter((one) => one.open);
  // the page of a study has no checks
  button?.addEventListener("click", () => {
    const all = button.getAttribute("aria-pressed") !== "true";
    for (const one of checks) one.open = all || failed.includes(one);
    button.setAttribute("aria-pressed", String(all));
    button.textContent = all ? "Fold what passed" : "Open all";
  });

  const parts = links.map((link) => byId(link.hash.slice(1)));
  function mark() {
    const line = innerHeight / 3;
    let current = 0;
    parts.forEach((part, place) => { if (part && part.getBoundingClientRect().top <= line) current = place; });
    links.forEach((link, place) => {
      if (place === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, { passive: true });
  mark();
})();
