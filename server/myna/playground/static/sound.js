/** Samples: files of them, and pictures of them. */

/** What the server speaks and listens at, in hertz. */
export const RATE_HZ = 24_000;

const PEAKS = 400;
const MOST_DECODED_BYTES = 64 * 1024 * 1024;

/**
 * The samples of a media file at a rate, as an AudioBuffer; null where the browser cannot read it or
 * it would take too much memory.
 */
export async function decoded(file, rateHz) {
  if (file.size > MOST_DECODED_BYTES) return null;
  try {
    const context = new OfflineAudioContext(1, 1, rateHz);
    return await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    return null;
  }
}

/** A WAV file of mono samples: int16, or float32 in [-1, 1]. */
export function wav(samples, rateHz) {
  const data = samples instanceof Int16Array ? samples : pcm16(samples);
  const head = new DataView(new ArrayBuffer(44));
  const write = (at, text) => [...text].forEach((c, i) => head.setUint8(at + i, c.charCodeAt(0)));
  write(0, "RIFF");
  head.setUint32(4, 36 + data.byteLength, true);
  write(8, "WAVEfmt ");
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true); // PCM
  head.setUint16(22, 1, true); // mono
  head.setUint32(24, rateHz, true);
  head.setUint32(28, rateHz * 2, true);
  head.setUint16(32, 2, true);
  head.setUint16(34, 16, true);
  write(36, "data");
  head.setUint32(40, data.byteLength, true);
  return new Blob([head, data], { type: "audio/wav" });
}

/** float32 in [-1, 1] to int16. */
export function pcm16(samples) {
  return Int16Array.from(samples, (value) => Math.round(Math.max(-1, Math.min(1, value)) * 32767));
}

/** The loudest moment of each of some hundred stretches, from 0 to 1, for drawing. */
export function peaks(samples, scale = 1) {
  const found = new Float32Array(PEAKS);
  const step = samples.length / PEAKS;
  for (let place = 0; place < PEAKS; place += 1) {
    const end = Math.floor((place + 1) * step);
    for (let at = Math.floor(place * step); at < end; at += 1) {
      found[place] = Math.max(found[place], Math.abs(samples[at]) / scale);
    }
  }
  return found;
}

/** Draw bars on a canvas in its own colours: those before `played` (0 to 1) in the sound's. */
export function drawBars(canvas, heights, played = 0) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width) return;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const style = getComputedStyle(canvas);
  const [ahead, behind] = [style.color, style.getPropertyValue("--deep-sound")];
  const count = Math.floor(width / 4);
  const loudest = Math.max(0.05, ...heights);
  for (let bar = 0; bar < count; bar += 1) {
    const from = Math.floor((bar / count) * heights.length);
    const to = Math.max(from + 1, Math.floor(((bar + 1) / count) * heights.length));
    const peak = Math.max(...heights.subarray(from, to));
    const tall = Math.max(2, (peak / loudest) * (height - 4));
    pen.fillStyle = bar / count < played ? behind : ahead;
    pen.beginPath();
    pen.roundRect(bar * 4 + 1, (height - tall) / 2, 2.5, tall, 1.25);
    pen.fill();
  }
}
