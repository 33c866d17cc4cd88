// The page to try a model: takes a sound from a file or the microphone, sends it, and shows the answer.
import { Recorder, canRecord, decode } from "/recorder.js";
import { seconds, show } from "/results.js";

const byId = (id) => document.getElementById(id);
const { maxS, maxBytes } = document.body.dataset;
const STAGES = {
  classifying: "Classifying",
  detecting: "Looking for events",
  transcribing: "Writing down speech",
  comparing: "Comparing with the project's clips",
  storing: "Storing",
};

let sound = null; // the blob that is shown, and its name
let asking = null; // ends the request that is under way

function say(text, failed = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("failed", failed);
}

// Send a sound; return the result, and tell meanwhile where it is.
async function ask(path, { blob, name }, tell, signal) {
  const answer = await fetch(`${path}?name=${encodeURIComponent(name)}`, { method: "POST", body: blob, signal });
  if (!answer.ok) {
    const text = await answer.text();
    let reason = text;
    try {
      reason = JSON.parse(text).reason;
    } catch {
      // plain text
    }
    throw new Error(reason);
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the server ended before it answered");
    rest += value;
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines.map((text) => JSON.parse(text))) {
      if (line.state === "done") return line.result;
      if (line.state === "failed") throw new Error(line.reason);
      const others = line.before === 1 ? "1 sound is" : `${line.before} sounds are`;
      tell(line.state === "waiting" ? `${others} before yours …` : `${STAGES[line.stage] ?? "Working"} …`);
    }
  }
}

async function tryModel(blob, name) {
  asking?.abort();
  const mine = (asking = new AbortController());
  byId("found").hidden = true;
  byId("player").pause();
  if (blob.size > maxBytes) {
    say(`${name} is larger than the ${maxBytes / 1048576} MiB that this page takes`, true);
    return;
  }
  say("Sending the sound …");
  try {
    const found = await ask("/try", { blob, name }, say, mine.signal);
    sound = { blob, name };
    if (byId("send")) {
      byId("send").disabled = false;
      byId("sent").textContent = "";
    }
    show(found, name, blob);
    say(`Done: ${found.scores.length ? `most probable is ${found.scores[0].label}` : "the sound is silent"}.`);
  } catch (error) {
    if (mine.signal.aborted) return;
    say(error instanceof TypeError ? "The server cannot be reached: is it still running?" : error.message, true);
  }
}

const SENT = {
  new: "Sent: it is the next clip in the labelling queue.",
  known: "The project has this sound already: it is now the next clip in the labelling queue.",
  skipped: "The project has this sound already: it is now the next clip of those who have not skipped it.",
  labelled: "The project has this sound already, and it is labelled",
  excluded: "The project has this sound already, and it is excluded as bad audio.",
};

byId("send")?.addEventListener("click", async () => {
  const { blob, name } = sound;
  const told = (text) => (byId("sent").textContent = text);
  byId("send").disabled = true;
  try {
    const done = await ask("/send", { blob, name }, told);
    if (sound.blob !== blob) return;
    const labels = done.labels.length ? `: ${done.labels.join(", ")}` : "";
    told(done.state === "labelled" ? `${SENT.labelled}${labels}.` : SENT[done.state]);
  } catch (error) {
    if (sound.blob !== blob) return;
    told(error instanceof TypeError ? "The server cannot be reached: is it still running?" : error.message);
    byId("send").disabled = false;
  }
});

// What phones record, and the server does not read.
const DECODED_HERE = /\.(3gp|aac|amr|m4a|m4b|mka|mp4|webm)$/i;

async function takeFile(file) {
  if (!file) return;
  let blob = file;
  if (DECODED_HERE.test(file.name) && file.size <= maxBytes) {
    say("Decoding the sound …");
    blob = await decode(file).catch(() => file); // the server then says what it is
  }
  tryModel(blob, file.name);
}

byId("file").addEventListener("change", ({ target }) => {
  takeFile(target.files[0]);
  target.value = ""; // the same file may be chosen again
});

const drop = byId("drop");
addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
addEventListener("dragleave", (event) => event.relatedTarget || drop.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  takeFile(event.dataTransfer.files[0]);
});

const record = byId("record");
let recorder = null;

function showLevel(peak, recorded) {
  byId("level").firstElementChild.style.width = `${Math.min(100, 100 * Math.sqrt(peak))}%`;
  byId("elapsed").textContent = `${seconds(recorded)} s`;
  if (recorded >= maxS - 0.5) finishRecording();
}

function finishRecording() {
  if (!recorder) return;
  const done = recorder.finish();
  recorder = null;
  record.textContent = "Record";
  byId("level").firstElementChild.style.width = 0;
  const time = new Date().toLocaleTimeString([], { hour12: false }).replaceAll(":", "-");
  tryModel(done, `recording ${time}.wav`);
}

record.addEventListener("click", async () => {
  if (recorder) {
    finishRecording();
    return;
  }
  record.disabled = true;
  byId("elapsed").textContent = "";
  try {
    byId("player").pause();
    recorder = await Recorder.start(showLevel);
    record.textContent = "Stop and try";
    say("Recording …");
  } catch (error) {
    const why = error.name === "NotAllowedError" ? "the browser was not allowed to use it" : error.message;
    say(`The microphone cannot be used: ${why}`, true);
  } finally {
    record.disabled = false;
  }
});

if (!canRecord()) {
  record.disabled = true;
  byId("level").hidden = true;
  byId("no-microphone").hidden = false;
}
