// Shows what was found in a sound. Labels and names of files are text of others: they become text nodes only.

const COLUMNS = 800; // of the picture of a label's scores
const byId = (id) => document.getElementById(id);
const player = byId("player");

export const seconds = (value) => value.toFixed(value < 100 ? 1 : 0);
const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

// Make an element with text or other elements in it.
function make(tag, contents = [], attributes = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...[contents].flat());
  return element;
}

let shown = null; // what was found in the sound that is shown
let head = null; // the line at the player's position
let rows = []; // the canvas of each curve, and its scores by columns

// Return the mean score of the windows that cover each column of the picture; null where there is none.
function byColumns(scores, { windows, duration_s }) {
  const sums = new Float64Array(COLUMNS);
  const counts = new Float64Array(COLUMNS);
  windows.forEach(([start, end], number) => {
    const first = Math.max(0, Math.floor((start / duration_s) * COLUMNS));
    const last = Math.min(COLUMNS, Math.max(first + 1, Math.ceil((end / duration_s) * COLUMNS)));
    for (let column = first; column < last; column++) {
      sums[column] += scores[number];
      counts[column]++;
    }
  });
  return Array.from(sums, (sum, column) => (counts[column] ? sum / counts[column] : null));
}

function paint() {
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--heat");
  for (const { canvas, columns } of rows) {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, COLUMNS, 1);
    context.fillStyle = colour;
    columns.forEach((score, column) => {
      context.globalAlpha = score ?? 0;
      context.fillRect(column, 0, 1, 1);
    });
  }
}

function showStrip(found) {
  const strip = byId("strip");
  rows = found.curves.map(({ label, scores }) => {
    const canvas = make("canvas", [], { width: COLUMNS, height: 1, "aria-hidden": "true" });
    return { label, peak: Math.max(...scores), canvas, columns: byColumns(scores, found) };
  });
  const cells = rows.flatMap(({ label, peak, canvas }) => [
    make("span", label, { class: "name" }),
    canvas,
    make("span", percent(peak), { class: "peak" }),
  ]);
  const over = make("div", (head = make("div", [], { class: "head" })), { class: "over" });
  over.style.gridRow = `1 / span ${Math.max(1, rows.length)}`;
  over.addEventListener("click", (event) => {
    const box = over.getBoundingClientRect();
    player.currentTime = ((event.clientX - box.left) / box.width) * found.duration_s;
  });
  const axis = [0, 0.25, 0.5, 0.75, 1].map((part) => make("span", `${seconds(part * found.duration_s)} s`));
  // Each cell has its place: the line over all pictures takes none of theirs.
  cells.forEach((cell, number) => {
    cell.style.gridRow = 1 + Math.floor(number / 3);
    cell.style.gridColumn = 1 + (number % 3);
  });
  strip.replaceChildren(...cells, ...(rows.length ? [over, make("div", axis, { class: "axis" })] : []));
  byId("strip-note").textContent = rows.length
    ? "The darker, the more probable; on the right the highest value. A click moves the player."
    : "The sound is silent: nothing was classified.";
  if (rows.length && matchMedia("(prefers-color-scheme: dark)").matches) {
    byId("strip-note").textContent = byId("strip-note").textContent.replace("darker", "brighter");
  }
  paint();
}

function showWindows({ windows, curves }) {
  byId("windows").hidden = !windows.length;
  const first = make("tr", [
    make("th", "Seconds", { scope: "col" }),
    ...curves.map(({ label }) => make("th", label, { scope: "col" })),
  ]);
  const body = windows.map(([start, end], number) =>
    make("tr", [
      make("th", `${start.toFixed(2)} to ${end.toFixed(2)}`, { scope: "row" }),
      ...curves.map(({ scores }) => make("td", scores[number].toFixed(2))),
    ]),
  );
  const table = make("table", [make("thead", first), make("tbody", body)]);
  byId("windows").querySelector("div").replaceChildren(table);
}

function showClasses({ scores, predicted }) {
  const lines = scores.map(({ label, score }) => {
    const bar = make("span", make("span"), { class: "bar", "aria-hidden": "true" });
    bar.firstChild.style.width = `${100 * score}%`;
    const line = make("tr", [make("th", label, { scope: "row" }), make("td", [bar, percent(score)])]);
    line.dataset.label = label;
    line.dataset.score = score;
    return line;
  });
  byId("classes").hidden = !lines.length;
  byId("classes").tBodies[0].replaceChildren(...lines);
  let note = "Over the whole sound. The scores of a pretrained model are not calibrated.";
  if (predicted) note = predicted.length ? `Predicted: ${predicted.join(", ")}` : "No class reaches the model's threshold.";
  byId("classes-note").textContent = lines.length ? note : "";
}

function showEvents({ events }) {
  byId("events-box").hidden = events === null;
  byId("events").hidden = !events?.length;
  byId("no-events").hidden = Boolean(events?.length);
  const lines = (events ?? []).map(({ label, start_s, end_s, probability }) => {
    const play = make("button", "Play", { type: "button", class: "small", "aria-label": `Play ${label}` });
    play.addEventListener("click", () => playSpan(start_s, end_s));
    const span = `${start_s.toFixed(2)} to ${end_s.toFixed(2)}`;
    const texts = [make("td", span), make("td", percent(probability)), make("td", play)];
    return make("tr", [make("th", label, { scope: "row" }), ...texts]);
  });
  byId("events").tBodies[0].replaceChildren(...lines);
}

let stopsAt = null;

function playSpan(start, end) {
  player.currentTime = start;
  stopsAt = end;
  player.play();
}

function showTranscript({ segments, language }) {
  const box = byId("transcript-box");
  if (!box) return;
  box.hidden = segments === null;
  byId("no-speech").hidden = Boolean(segments?.length);
  const lines = (segments ?? []).map(({ start_s, text }) => {
    const line = make("li", [make("span", `${seconds(start_s)} s`, { class: "dim" }), make("span", text)]);
    if (language && language !== "und") line.lastChild.lang = language;
    return line;
  });
  byId("transcript").replaceChildren(...lines);
}

const neighbour = new Audio();
let playing = null; // the button of the neighbour that plays

function endNeighbour() {
  neighbour.pause();
  if (playing) playing.textContent = "Play";
  playing = null;
}

for (const name of ["ended", "error"]) neighbour.addEventListener(name, endNeighbour);

function showNeighbours({ neighbours, compared_by }) {
  const box = byId("neighbours-box");
  if (!box) return;
  box.hidden = neighbours === null;
  byId("neighbours-note").textContent = neighbours?.length
    ? `Compared by ${compared_by}; 0 is the same sound, clips without anything in common are about 1.4 apart.`
    : "No clip that is labelled was compared yet.";
  const cards = (neighbours ?? []).map(({ clip, file, labels, distance }) => {
    const name = labels.join(", ") || "none of the labels";
    const play = make("button", "Play", { type: "button", class: "small", "aria-label": `Play ${name}, ${file}` });
    play.addEventListener("click", () => {
      const again = playing === play;
      endNeighbour();
      if (again) return;
      player.pause();
      playing = play;
      play.textContent = "Stop";
      neighbour.src = `/clips/${clip}.wav`;
      neighbour.play().catch(endNeighbour);
    });
    const place = make("span", `${file}, distance ${distance.toFixed(2)}`, { class: "dim" });
    return make("li", [play, make("strong", name), place]);
  });
  byId("neighbours").replaceChildren(...cards);
}

export function show(found, name, blob) {
  shown = found;
  endNeighbour();
  if (player.src) URL.revokeObjectURL(player.src);
  stopsAt = null;
  byId("not-playable").hidden = true;
  player.hidden = false;
  player.src = URL.createObjectURL(blob);
  byId("found-title").textContent = `${name}, ${seconds(found.duration_s)} s`;
  byId("model").textContent = /^\d+$/.test(found.model) ? `number ${found.model}` : found.model;
  for (const part of [showStrip, showWindows, showClasses, showEvents, showTranscript, showNeighbours]) part(found);
  byId("failed").replaceChildren(...found.failed.map((reason) => make("li", reason)));
  byId("found").hidden = false;
  move();
}

// Move the line to the player's position, and name the most probable class there.
function move() {
  if (!shown || !head) return;
  const at = player.currentTime;
  head.style.left = `${100 * Math.min(1, at / shown.duration_s)}%`;
  const column = Math.min(COLUMNS - 1, Math.floor((at / shown.duration_s) * COLUMNS));
  const best = rows.reduce((one, row) => ((row.columns[column] ?? 0) > (one?.columns[column] ?? 0) ? row : one), null);
  byId("now").textContent = `At ${at.toFixed(1)} s: ${best ? `${best.label}, ${percent(best.columns[column])}` : "nothing"}`;
  if (stopsAt !== null && at >= stopsAt) {
    player.pause();
    stopsAt = null;
  }
  if (!player.paused) requestAnimationFrame(move);
}

player.addEventListener("play", () => {
  endNeighbour();
  move();
});
for (const name of ["timeupdate", "seeked"]) player.addEventListener(name, move);
player.addEventListener("error", () => {
  byId("not-playable").hidden = !player.src;
  player.hidden = true;
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (shown) showStrip(shown);
  move();
});
