// Plain samples of the microphone, and of files: what browsers and phones encode, libsndfile does not read.

export const canRecord = () => Boolean(navigator.mediaDevices?.getUserMedia && globalThis.AudioWorkletNode);

export class Recorder {
  // `onLevel(peak, seconds)` is called with each piece of sound.
  static async start(onLevel) {
    // What makes calls clearer changes the sound that the model is to hear.
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    const context = new AudioContext();
    try {
      await context.audioWorklet.addModule("/recorder_worklet.js");
      await context.resume();
      return new Recorder(stream, context, onLevel);
    } catch (error) {
      stop(stream, context);
      throw error;
    }
  }

  constructor(stream, context, onLevel) {
    Object.assign(this, { stream, context, pieces: [], frames: 0 });
    this.tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
    this.tap.port.onmessage = ({ data }) => {
      this.pieces.push(data);
      this.frames += data.length;
      let peak = 0;
      for (const sample of data) peak = Math.max(peak, Math.abs(sample));
      onLevel(peak, this.frames / context.sampleRate);
    };
    context.createMediaStreamSource(stream).connect(this.tap);
  }

  // End, and return the sound as a WAV file.
  finish() {
    this.tap.port.onmessage = null;
    stop(this.stream, this.context);
    return wav(this.pieces, this.frames, this.context.sampleRate);
  }
}

function stop(stream, context) {
  for (const track of stream.getTracks()) track.stop();
  context.close();
}

// Return a file that the browser can read, the mean of its channels, as a WAV file.
export async function decode(file) {
  const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(await file.arrayBuffer());
  const mono = new Float32Array(sound.length);
  for (let number = 0; number < sound.numberOfChannels; number++) {
    const channel = sound.getChannelData(number);
    for (let at = 0; at < mono.length; at++) mono[at] += channel[at] / sound.numberOfChannels;
  }
  return wav([mono], mono.length, sound.sampleRate);
}

// Return pieces of samples as a 16-bit mono WAV file.
function wav(pieces, frames, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * frames));
  const text = (at, letters) => [...letters].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * frames, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // mono
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * frames, true);
  let at = 44;
  for (const piece of pieces) {
    for (const sample of piece) {
      view.setInt16(at, Math.max(-32768, Math.min(32767, Math.round(32768 * sample))), true);
      at += 2;
    }
  }
  return new Blob([view], { type: "audio/wav" });
}
