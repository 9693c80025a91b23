/** Speech as it comes: samples are heard while the rest is still made. */

import { RATE_HZ } from "./sound.js";

const HEADWAY_S = 0.05;

/** Plays int16 samples at 24 kHz, as bytes of any length, without a gap where they come in time. */
export class PcmPlayer {
  #context = new AudioContext({ sampleRate: RATE_HZ });
  #odd = new Uint8Array(0);
  #began = null;
  #next = 0;

  /** Take bytes; returns the samples that are complete. */
  push(bytes) {
    const joined = new Uint8Array(this.#odd.length + bytes.length);
    joined.set(this.#odd);
    joined.set(bytes, this.#odd.length);
    const whole = joined.length & ~1;
    this.#odd = joined.slice(whole);
    const samples = new Int16Array(joined.buffer.slice(0, whole));
    if (samples.length) this.#schedule(samples);
    return samples;
  }

  /** Seconds that have been heard. */
  get seconds() {
    return this.#began === null ? 0 : Math.max(0, this.#context.currentTime - this.#began);
  }

  /** Resolves when all of it has been heard. */
  async finish() {
    const left = this.#next - this.#context.currentTime;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, left * 1000)));
    await this.stop();
  }

  /** Be silent at once. */
  async stop() {
    if (this.#context.state !== "closed") await this.#context.close();
  }

  #schedule(samples) {
    const buffer = this.#context.createBuffer(1, samples.length, RATE_HZ);
    buffer.copyToChannel(Float32Array.from(samples, (value) => value / 32768), 0);
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    const at = Math.max(this.#next, this.#context.currentTime + HEADWAY_S);
    this.#began ??= at;
    this.#next = at + buffer.duration;
    source.start(at);
  }
}
