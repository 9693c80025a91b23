/** Runs beside the page: the microphone's samples to int16, resampled where the context cannot. */

const BLOCK_S = 0.1;
const LOBES = 8;

/** A band-limited resampler: a windowed sinc, as wide as the lower of both rates asks for. */
class Resampler {
  #step;
  #scale;
  #reach;
  #held = new Float32Array(0);
  #at;

  constructor(fromHz, toHz) {
    this.#step = fromHz / toHz;
    this.#scale = Math.min(1, toHz / fromHz);
    this.#reach = Math.ceil(LOBES / this.#scale);
    this.#at = this.#reach;
  }

  /** The samples of the new rate that can be told so far. */
  *push(samples) {
    const held = new Float32Array(this.#held.length + samples.length);
    held.set(this.#held);
    held.set(samples, this.#held.length);
    while (this.#at + this.#reach < held.length) {
      yield this.#sample(held);
      this.#at += this.#step;
    }
    const done = Math.max(0, Math.floor(this.#at) - this.#reach);
    this.#held = held.slice(done);
    this.#at -= done;
  }

  #sample(held) {
    const middle = Math.floor(this.#at);
    let sum = 0;
    for (let place = middle - this.#reach + 1; place <= middle + this.#reach; place += 1) {
      const x = (place - this.#at) * this.#scale;
      const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / LOBES);
      sum += held[place] * window * (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
    }
    return sum * this.#scale;
  }
}

class Capture extends AudioWorkletProcessor {
  #resampler = null;
  #block;
  #filled = 0;

  constructor({ processorOptions: { rateHz } }) {
    super();
    if (sampleRate !== rateHz) this.#resampler = new Resampler(sampleRate, rateHz);
    this.#block = new Int16Array(rateHz * BLOCK_S);
  }

  process([[samples]]) {
    if (!samples) return true;
    for (const value of this.#resampler ? this.#resampler.push(samples) : samples) {
      this.#block[this.#filled] = Math.round(Math.max(-1, Math.min(1, value)) * 32767);
      this.#filled += 1;
      if (this.#filled === this.#block.length) this.#pass();
    }
    return true;
  }

  #pass() {
    const full = this.#block;
    this.#block = new Int16Array(full.length);
    this.#filled = 0;
    this.port.postMessage(full, [full.buffer]);
  }
}

registerProcessor("capture", Capture);
