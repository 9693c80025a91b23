/** The microphone: open it, see how loud it is, keep what it hears or pass it on. */

import { drawBars, RATE_HZ } from "./sound.js";

const BARS = 120;
const BAR_MS = 40;
const RECORDED_AS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];

/** A stream of the microphone. Throws an Error that says what to do. */
export async function openMicrophone() {
  if (!navigator.mediaDevices) {
    throw new Error(
      "Browsers give the microphone only to pages over HTTPS and on localhost; this one is neither.",
    );
  }
  try {
    // Whisper hears noise better than what noise suppression leaves of speech.
    return await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false },
    });
  } catch (refused) {
    const reasons = {
      NotAllowedError: "The browser was not allowed to use the microphone.",
      NotFoundError: "There is no microphone.",
    };
    throw new Error(reasons[refused.name] ?? `The microphone does not open: ${refused.message}`);
  }
}

/** Give the microphone back. */
export const close = (stream) => stream.getTracks().forEach((track) => track.stop());

/** Draws how loud a stream has been for the last seconds. */
export class Meter {
  #canvas;
  #context = null;
  #timer = 0;

  constructor(canvas) {
    this.#canvas = canvas;
  }

  start(stream) {
    this.stop();
    this.#context = new AudioContext();
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 2048;
    this.#context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const heights = new Float32Array(BARS);
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      heights.copyWithin(0, 1);
      heights[BARS - 1] = Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
      drawBars(this.#canvas, heights);
    }, BAR_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#context?.close();
    this.#context = null;
  }
}

/** Records a stream until it is stopped. */
export class Recording {
  #recorder;
  #pieces = [];

  constructor(stream) {
    const mimeType = RECORDED_AS.find((type) => MediaRecorder.isTypeSupported(type));
    this.#recorder = new MediaRecorder(stream, { mimeType });
    this.#recorder.addEventListener("dataavailable", ({ data }) => this.#pieces.push(data));
    this.#recorder.start(1000);
  }

  /** End it; resolves to the recording as a file. */
  stop() {
    return new Promise((resolve) => {
      this.#recorder.addEventListener("stop", () => {
        const [type] = this.#recorder.mimeType.split(";");
        const ending = { "audio/mp4": "m4a", "audio/ogg": "ogg" }[type] ?? "webm";
        resolve(new File(this.#pieces, `recording.${ending}`, { type }));
      });
      this.#recorder.stop();
    });
  }
}

/** Passes a stream on as int16 at 24 kHz, a tenth of a second at a time. */
export class Capture {
  #context;
  #node;

  /** `heard` is called with each Int16Array. */
  static async start(stream, heard) {
    const capture = new Capture();
    capture.#context = await contextFor(stream);
    await capture.#context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
    capture.#node = new AudioWorkletNode(capture.#context, "capture", {
      numberOfOutputs: 0,
      processorOptions: { rateHz: RATE_HZ },
    });
    capture.#node.port.onmessage = ({ data }) => heard(data);
    capture.#context.createMediaStreamSource(stream).connect(capture.#node);
    return capture;
  }

  stop() {
    this.#node.port.onmessage = null;
    return this.#context.close();
  }
}

/** A context that the stream can be connected to: Firefox takes none at a rate of its own. */
async function contextFor(stream) {
  const wanted = new AudioContext({ sampleRate: RATE_HZ });
  try {
    wanted.createMediaStreamSource(stream).disconnect();
    return wanted;
  } catch {
    await wanted.close();
    return new AudioContext();
  }
}
