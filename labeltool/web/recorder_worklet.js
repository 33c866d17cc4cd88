// Passes on what the microphone gives, the mean of its channels.
class Tap extends AudioWorkletProcessor {
  process([input]) {
    if (input.length) {
      const mono = input[0].slice();
      for (const channel of input.slice(1)) for (let at = 0; at < mono.length; at++) mono[at] += channel[at];
      if (input.length > 1) for (let at = 0; at < mono.length; at++) mono[at] /= input.length;
      this.port.postMessage(mono, [mono.buffer]);
    }
    return true;
  }
}

registerProcessor("tap", Tap);
