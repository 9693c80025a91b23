/** A transcription session over the server's WebSocket, as OpenAI's realtime API has it. */

import { base, key } from "./api.js";
import { RATE_HZ } from "./sound.js";

const TRANSCRIPTION = "conversation.item.input_audio_transcription";
const LAST_WORDS_MS = 20_000;
/** Sent at the end, so that the server hears a pause and closes the last turn by itself. */
const PAUSE_S = 1;

/**
 * Emits `speech` (someone began), `delta` and `completed` with `{item, text}` as detail, `problem`
 * with a message, and `closed`.
 */
export class Captioning extends EventTarget {
  #socket;
  /** Items that are spoken or being written down. */
  #open = new Set();
  #leaving = false;
  /** Whether the server has answered the last commit. */
  #told = false;
  #settle;
  #settled = new Promise((resolve) => {
    this.#settle = resolve;
  });

  constructor({ model, language }) {
    super();
    const url = new URL("realtime?intent=transcription", base);
    url.protocol = url.protocol.replace("http", "ws");
    const secret = key.get() ? [`openai-insecure-api-key.${key.get()}`] : [];
    this.#socket = new WebSocket(url, ["realtime", ...secret]);
    this.#socket.addEventListener("open", () => this.#configure(model, language));
    this.#socket.addEventListener("message", ({ data }) => this.#receive(JSON.parse(data)));
    this.#socket.addEventListener("error", () =>
      this.#emit("problem", "The server did not open a session for live captions."),
    );
    this.#socket.addEventListener("close", ({ reason }) => {
      if (reason) this.#emit("problem", `The session ended: ${reason}`);
      this.#settle();
      this.#emit("closed");
    });
  }

  /** Whether the session is over. */
  get closed() {
    return this.#socket.readyState >= WebSocket.CLOSING;
  }

  /** Pass int16 samples at 24 kHz on. */
  hear(samples) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#send({ type: "input_audio_buffer.append", audio: base64(samples) });
  }

  /** Hear no more; resolves once what was heard is written down. */
  async stop() {
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.hear(new Int16Array(RATE_HZ * PAUSE_S));
      this.#leaving = true;
      this.#send({ type: "input_audio_buffer.commit" });
      const patience = new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS));
      await Promise.race([this.#settled, patience]);
    }
    this.#socket.close();
  }

  #configure(model, language) {
    const input = {
      format: { type: "audio/pcm", rate: RATE_HZ },
      transcription: { model, ...(language && { language }) },
      turn_detection: { type: "server_vad" },
    };
    this.#send({ type: "session.update", session: { type: "transcription", audio: { input } } });
  }

  #receive({ type, ...event }) {
    switch (type) {
      case "input_audio_buffer.speech_started":
        this.#open.add(event.item_id);
        this.#emit("speech", { item: event.item_id });
        break;
      case "input_audio_buffer.committed":
        this.#open.add(event.item_id);
        this.#told = this.#leaving;
        break;
      case `${TRANSCRIPTION}.delta`:
        this.#emit("delta", { item: event.item_id, text: event.delta });
        break;
      case `${TRANSCRIPTION}.completed`:
        this.#emit("completed", { item: event.item_id, text: event.transcript });
        this.#close(event.item_id);
        break;
      case `${TRANSCRIPTION}.failed`:
        this.#emit("problem", event.error.message);
        this.#close(event.item_id);
        break;
      case "error":
        this.#fault(event.error);
        break;
      default:
    }
  }

  #fault({ code, message }) {
    // Nothing is left to commit when the pause has closed the last turn.
    this.#told = this.#leaving;
    if (!this.#leaving || code !== "input_audio_buffer_commit_empty") this.#emit("problem", message);
    this.#close(null);
  }

  #close(item) {
    this.#open.delete(item);
    if (this.#told && this.#open.size === 0) this.#settle();
  }

  #send(event) {
    this.#socket.send(JSON.stringify(event));
  }

  #emit(kind, detail = null) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

function base64(samples) {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}
