// The page's script: it opens textual-serve's terminal, and plays what the app says.
"use strict";

const RATE = 48000; // of every sound, as PLAYBACK_RATE_HZ
const BLOCK = 24000; // frames that are fetched at once
const HEADER_BYTES = 44; // of a WAV file
const SCHEDULED_S = 1.5; // played without this script, whose timers are slow in a hidden page
const BLOCKS_AHEAD = 8;
const MAX_BLOCKS = 200;
const REPORT_MS = 200;
const TICK_MS = 50;
const FADE_S = 0.003; // without it each start and stop is a click

// A sound of the app, fetched in blocks.
class Sound {
  constructor(context, id, frames) {
    Object.assign(this, { context, id, frames, blocks: new Map() });
  }

  // Return a block, or start to fetch it.
  block(index) {
    if (!this.blocks.has(index) && index >= 0 && index * BLOCK < this.frames) {
      this.blocks.set(index, null);
      this.fetch(index).catch(() => setTimeout(() => this.blocks.delete(index), 500));
    }
    return this.blocks.get(index);
  }

  async fetch(index) {
    const first = index * BLOCK;
    // One sample more than is played: between two samples the next one is needed.
    const last = Math.min(first + BLOCK + 1, this.frames);
    const range = `bytes=${HEADER_BYTES + 2 * first}-${HEADER_BYTES + 2 * last - 1}`;
    const response = await fetch(`/sound/${this.id}`, { headers: { Range: range } });
    if (response.status !== 206) throw new Error(response.statusText);
    const samples = new DataView(await response.arrayBuffer());
    const buffer = this.context.createBuffer(1, last - first, RATE);
    const channel = buffer.getChannelData(0);
    for (let frame = 0; frame < channel.length; frame++) channel[frame] = samples.getInt16(2 * frame, true) / 32768;
    this.blocks.set(index, buffer);
    if (this.blocks.size > MAX_BLOCKS) this.blocks.delete(this.blocks.keys().next().value);
  }
}

class Player {
  constructor() {
    this.context = new AudioContext({ sampleRate: RATE });
    this.gain = this.context.createGain();
    this.gain.connect(this.context.destination);
    this.sounds = new Map();
    this.wanted = null; // the newest state that the app has sent
    this.voice = null; // what plays; silent pieces of it fade in and out
    this.pieces = []; // what was scheduled: { when, from, to, speed }
    this.next = 0; // the frame to schedule next
    this.until = 0; // the end of what was scheduled, in the context's time
    this.reported = 0;
    for (const gesture of ["keydown", "pointerdown"]) addEventListener(gesture, () => this.context.resume(), true);
    // The key that turns sound on arrives at the app before it hears that there is sound: Space then plays.
    this.locked = true;
    this.context.addEventListener("statechange", () => setTimeout(() => this.unlock(), 300));
    setInterval(() => this.tick(), TICK_MS);
  }

  unlock() {
    this.locked = this.context.state !== "running";
    this.report();
  }

  connect(socket) {
    this.socket = socket;
    socket.addEventListener("message", (event) => {
      if (typeof event.data !== "string") return;
      const [kind, message] = JSON.parse(event.data);
      if (kind === "sound") this.receive(message);
    });
  }

  receive(message) {
    if (message.prefetch) {
      const sound = this.sound(message.prefetch, message.frames);
      for (let index = 0; index < BLOCKS_AHEAD; index++) sound.block(index);
      return;
    }
    const before = this.wanted;
    const at = message.at ?? this.position();
    this.wanted = message;
    this.gain.gain.setTargetAtTime(10 ** (message.gain_db / 20), this.context.currentTime, 0.005);
    const same = ["sound", "first", "last", "loop", "speed", "playing"].every((key) => before?.[key] === message[key]);
    if (message.at !== null || !same) {
      this.stop(at);
      if (message.playing) this.start();
    }
    this.report();
  }

  sound(id, frames) {
    if (!this.sounds.has(id)) this.sounds.set(id, new Sound(this.context, id, frames));
    const sound = this.sounds.get(id);
    this.sounds.delete(id); // the newest last
    this.sounds.set(id, sound);
    if (this.sounds.size > 4) this.sounds.delete(this.sounds.keys().next().value);
    return sound;
  }

  // What is audible now was scheduled a little earlier.
  heard() {
    return this.context.currentTime - (this.context.outputLatency || this.context.baseLatency || 0);
  }

  piece() {
    const now = this.heard();
    return this.pieces.findLast((piece) => piece.when <= now);
  }

  position() {
    const piece = this.piece();
    if (!piece) return this.pieces.length ? this.pieces[0].from : this.next;
    return Math.min(piece.from + (this.heard() - piece.when) * RATE * piece.speed, piece.to);
  }

  stop(at) {
    if (this.voice) {
      const voice = this.voice;
      const now = this.context.currentTime;
      voice.gain.cancelScheduledValues(now);
      voice.gain.setTargetAtTime(0, now, FADE_S / 3);
      setTimeout(() => voice.disconnect(), 100);
    }
    this.voice = null;
    this.pieces = [];
    this.next = at;
    this.until = 0;
  }

  start() {
    this.voice = this.context.createGain();
    this.voice.connect(this.gain);
    this.schedule();
  }

  schedule() {
    const { first, last, loop, speed } = this.wanted;
    const sound = this.sound(this.wanted.sound, this.wanted.frames);
    while (this.voice && this.until < this.context.currentTime + SCHEDULED_S) {
      if (this.next >= last) {
        if (!loop) return;
        this.next = first;
      }
      const index = Math.floor(this.next / BLOCK);
      const buffer = sound.block(index);
      for (let ahead = 1; ahead < BLOCKS_AHEAD; ahead++) sound.block(index + ahead);
      if (!buffer) return;
      if (this.until < this.context.currentTime) {
        this.until = this.context.currentTime + 0.005;
        this.voice.gain.setValueAtTime(0, this.until);
        this.voice.gain.linearRampToValueAtTime(1, this.until + FADE_S);
      }
      const to = Math.min((index + 1) * BLOCK, last);
      const node = this.context.createBufferSource();
      node.buffer = buffer;
      node.playbackRate.value = speed;
      node.connect(this.voice);
      node.start(this.until, (this.next - index * BLOCK) / RATE, (to - this.next) / RATE);
      this.pieces.push({ when: this.until, from: this.next, to, speed });
      this.until += (to - this.next) / RATE / speed;
      this.next = to;
    }
  }

  get playing() {
    const { last, loop, playing } = this.wanted;
    return playing && this.voice !== null && (loop || this.next < last || this.heard() < this.until);
  }

  tick() {
    if (!this.wanted || !this.voice) return;
    this.schedule();
    const now = this.heard();
    while (this.pieces.length > 1 && this.pieces[1].when <= now) this.pieces.shift();
    if (!this.playing) this.stop(this.wanted.last);
    if (!this.voice || performance.now() - this.reported > REPORT_MS) this.report();
  }

  report() {
    if (this.socket?.readyState !== 1 || !this.wanted) return;
    this.reported = performance.now();
    const running = this.context.state === "running";
    const piece = this.piece();
    const advances = running && this.playing && piece !== undefined && this.heard() < this.until;
    const { state } = this.wanted;
    const report = { state, at: this.position(), playing: this.playing, advances, locked: this.locked };
    this.socket.send(JSON.stringify(["sound", report]));
  }
}

const player = new Player();

// textual-serve's script opens the socket; its messages are for both.
window.WebSocket = class extends WebSocket {
  constructor(...parameters) {
    super(...parameters);
    player.connect(this);
  }
};

const focusTerminal = () => document.querySelector(".xterm-helper-textarea")?.focus();
for (const moment of ["focus", "click"]) addEventListener(moment, focusTerminal);

addEventListener("load", async () => {
  const terminal = document.getElementById("terminal");
  terminal.dataset.sessionWebsocketUrl = `${location.origin.replace("http", "ws")}/ws`;
  // The terminal measures a letter when it opens.
  await document.fonts.load(`${terminal.dataset.fontSize}px "Roboto Mono"`).catch(() => {});
  const script = document.createElement("script");
  script.src = "/static/js/textual.js";
  script.addEventListener("load", () => {
    window.onload();
    focusTerminal();
  });
  document.head.append(script);
  new MutationObserver(() => {
    if (!document.body.classList.contains("-closed")) return;
    document.getElementById("message").textContent = "The labelling app has ended. Enter or a click opens it again.";
    player.context.suspend();
    for (const again of ["keydown", "click"]) {
      addEventListener(again, (event) => {
        if (event.type === "click" || event.key === "Enter") location.reload();
      }, true);
    }
  }).observe(document.body, { attributeFilter: ["class"] });
});
