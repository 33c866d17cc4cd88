"use strict";
const one = (selector) => document.querySelector(selector);
const every = (selector) => [...document.querySelectorAll(selector)];

// Light or dark: the reader's system decides, until the button does.
one("#theme").addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
});

// Tables behind charts are printed, and only for that are they opened.
const opened = [];
addEventListener("beforeprint", () => {
  for (const part of every("details[data-print]:not([open])")) opened.push(part), (part.open = true);
});
addEventListener("afterprint", () => opened.splice(0).forEach((part) => (part.open = false)));

// One sound at a time.
const player = new Audio();
const players = () => [...every("audio"), player];
document.addEventListener("play", (event) => players().forEach((other) => other !== event.target && other.pause()), true);

// The errors of one cell of the confusion matrix.
const errors = every(".errors > li");
const cells = every("button.cell");
const has = (text, number) => text.trim().split(/\s+/).includes(number);
function filter(cell) {
  const { true: label, predicted } = cell ? cell.dataset : {};
  let shown = 0;
  for (const error of errors) {
    error.hidden = Boolean(cell) && !(has(error.dataset.true, label) && has(error.dataset.predicted, predicted));
    shown += !error.hidden;
  }
  for (const other of cells) other.setAttribute("aria-pressed", String(other === cell));
  if (!one("#shown")) return;
  one("#shown").textContent = cell
    ? `${shown} of ${errors.length} shown: ${cell.getAttribute("aria-label")}.`
    : `All ${errors.length} are shown.`;
  one("#all").hidden = !cell;
}
for (const cell of cells) {
  cell.addEventListener("click", () => {
    const chosen = cell.getAttribute("aria-pressed") === "true" ? null : cell;
    filter(chosen);
    if (chosen) one("#errors").scrollIntoView();
  });
}
if (one("#all")) one("#all").addEventListener("click", () => filter(null));

// The map: what the pointer or the keyboard is on is named below it, and played.
function prepareMap(box) {
  const clips = JSON.parse(one("#clips").textContent);
  const points = [...box.querySelectorAll("path[aria-roledescription=point]")];
  let at = -1;
  const text = (clip) =>
    [
      `Clip ${clip.clip}: ${clip.labels || "no label"}`,
      clip.predicted && `suggested ${clip.predicted}`,
      clip.error && "an error",
      clip.sound ? "" : clip.name && "no sound here",
      clip.name,
    ].filter(Boolean).join("; ");
  const show = (number) => {
    points[at]?.classList.remove("at");
    at = number;
    points[at].classList.add("at");
    one("#at").textContent = text(clips[at]);
  };
  const play = () => {
    for (const other of players()) other.pause();
    if (!clips[at]?.sound) return;
    player.src = `data:audio/mpeg;base64,${clips[at].sound}`;
    player.play().catch(() => {}); // the browser waits for a click first
  };
  points.forEach((point, number) => {
    point.addEventListener("pointerenter", () => {
      show(number);
      if (one("#hover")?.checked) play();
    });
    point.addEventListener("click", () => (show(number), play()));
  });
  const place = (point) => {
    const box = point.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && at >= 0) return event.preventDefault(), play();
    const step = steps[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (at < 0) return show(0);
    const [x, y] = place(points[at]);
    let best = -1;
    let least = Infinity;
    points.forEach((point, number) => {
      const [px, py] = place(point);
      const along = (px - x) * step[0] + (py - y) * step[1];
      const across = Math.abs((px - x) * step[1]) + Math.abs((py - y) * step[0]);
      if (along > 0.5 && along + 2 * across < least) (best = number), (least = along + 2 * across);
    });
    if (best >= 0) show(best);
  });
}
if (one("#points")) prepareMap(one("#points"));
