/** The tab "Speak": a text in a voice, heard as it is made; each try stays as a take to compare. */

import { base, chunks, send } from "./api.js";
import { byId, download, element, fill, say, took } from "./dom.js";
import { Player } from "./player.js";
import { speech } from "./snippets.js";
import { peaks, RATE_HZ, wav } from "./sound.js";
import { PcmPlayer } from "./speech.js";

const MODELS = ["tts-1", "tts-1-hd"];
const MOST_TAKES = 12;

export class SpeakTab {
  #app;
  #voices = [];
  #run = new AbortController();

  constructor(app) {
    this.#app = app;
    byId("speak-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say([byId("voice").value]);
    });
    byId("compare").addEventListener("click", () => this.#say(this.#ticked()));
    byId("hush").addEventListener("click", () => this.#run.abort());
    byId("voices").addEventListener("change", () => this.#showCompare());
    byId("tts-model").addEventListener("change", () => this.#listVoices());
    byId("speed").addEventListener("input", ({ target }) => {
      byId("speed-shown").textContent = `${Number(target.value)}×`;
    });
    byId("speak-form").addEventListener("input", () => this.program());
    byId("text").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        byId("speak-form").requestSubmit();
      }
    });
    this.program();
  }

  /** The server's voices, as GET /audio/voices lists them. */
  voices(listed) {
    this.#voices = listed;
    const models = [...new Set(listed.map((voice) => voice.model))];
    fill(byId("tts-model"), [...MODELS, ...models].map((name) => [name, name]));
    this.#listVoices();
  }

  /** Write the program for what is chosen. */
  program() {
    this.#app.code.set(
      "speak",
      speech({
        ...this.#chosen(),
        baseUrl: base.href.replace(/\/$/, ""),
        keyed: this.#app.keyed,
        voice: byId("voice").value,
        format: byId("format").value,
      }),
    );
  }

  #chosen() {
    return {
      text: byId("text").value,
      model: byId("tts-model").value,
      speed: Number(byId("speed").value),
    };
  }

  /** Those that the chosen model has; OpenAI's names for a model, its own for an engine. */
  #listVoices() {
    const model = byId("tts-model").value;
    const owned = this.#voices.filter((voice) => voice.model === model);
    const listed = (owned.length ? owned : this.#voices).map((voice) => [voice.id, called(voice)]);
    fill(byId("voice"), listed);
    byId("voices").replaceChildren(
      ...listed.map(([id, text]) =>
        element(
          "label",
          { className: "check" },
          element("input", { type: "checkbox", value: id }),
          ` ${text}`,
        ),
      ),
    );
    this.#showCompare();
    this.program();
  }

  #ticked() {
    return [...byId("voices").querySelectorAll("input:checked")].map((box) => box.value);
  }

  #showCompare() {
    const count = this.#ticked().length;
    byId("compare").disabled = count === 0;
    byId("compare").textContent = count
      ? `Hear ${count === 1 ? "this voice" : `these ${count} voices`}`
      : "Choose some voices";
  }

  /** Say the text in each voice, one after the other, until one fails or is stopped. */
  async #say(voices) {
    this.#run.abort();
    this.#run = new AbortController();
    const { signal } = this.#run;
    say(byId("speak-error"));
    byId("hush").hidden = false;
    try {
      for (const voice of voices) {
        const take = new Take({ ...this.#chosen(), voice, format: byId("format").value }, this.#app);
        byId("takes-title").hidden = false;
        byId("takes").prepend(take.root);
        [...byId("takes").children].slice(MOST_TAKES).forEach((old) => old.remove());
        await take.speak(signal, (status) => {
          byId("speak-status").textContent = status;
        });
      }
      byId("speak-status").textContent = "";
    } catch (failure) {
      byId("speak-status").textContent = "";
      if (!signal.aborted) {
        say(byId("speak-error"), failure.message);
        this.#app.refused(failure);
      }
    }
    if (signal === this.#run.signal) byId("hush").hidden = true;
  }
}

/** A voice in a list. "Alloy (alloy)" is one name, and "Joe (en-US, medium)" is Joe. */
function called({ id, name, language }) {
  const short = name.replace(/ \(.*\)$/, "");
  const both = short.toLowerCase() === id.toLowerCase() ? short : `${short} (${id})`;
  return `${both} · ${language}`;
}

/** One try: what was asked, what came, and a player for it. */
class Take {
  root = element("li", { className: "take card" });
  #asked;
  #app;
  #facts = element("p", { className: "facts" });
  #actions = element("div", { className: "actions", hidden: true });
  #player;
  #pieces = [];
  #samples = new Int16Array(0);

  constructor(asked, app) {
    this.#asked = asked;
    this.#app = app;
    const stage = element("div");
    this.#player = new Player(stage, `take of ${asked.voice}`);
    this.#player.addEventListener("tick", () =>
      this.root.toggleAttribute("data-playing", this.#player.playing),
    );
    const title = element("h3", { textContent: asked.voice });
    this.root.append(
      element("div", { className: "take-head" }, title, this.#facts),
      element("p", { className: "take-text", textContent: asked.text }),
      stage,
      this.#actions,
    );
    this.#offer(`Download .${asked.format}`, () => this.#download());
    this.#offer("Transcribe it", () => this.#app.transcribe(this.#file(), true));
  }

  /** Ask for it and play it as it comes; what a stop cuts off goes away. */
  async speak(signal, status) {
    const { text, model, voice, speed } = this.#asked;
    const playing = new PcmPlayer();
    const began = performance.now();
    let first = 0;
    signal.addEventListener("abort", () => playing.stop());
    try {
      status(`Asking ${voice}…`);
      const content = { model, voice, input: text, speed, response_format: "pcm" };
      const response = await send("audio/speech", content, { signal });
      this.root.dataset.playing = "";
      for await (const bytes of chunks(response.body)) {
        this.#add(playing.push(bytes));
        first ||= performance.now() - began;
        status(`${voice} speaks…`);
      }
      const all = performance.now() - began;
      const seconds = this.#samples.length / RATE_HZ;
      this.#facts.textContent =
        `${model} · first sound after ${took(first)} · ${seconds.toFixed(1)} s made in ${took(all)}`;
      const drawing = setInterval(() => this.#preview(playing.seconds), 100);
      signal.addEventListener("abort", () => clearInterval(drawing));
      await Promise.race([playing.finish(), aborted(signal)]);
      clearInterval(drawing);
      this.#done();
    } catch (failure) {
      await playing.stop();
      if (this.#samples.length) this.#done();
      else this.root.remove();
      throw failure;
    }
  }

  #add(samples) {
    this.#pieces.push(samples);
    const joined = new Int16Array(this.#samples.length + samples.length);
    joined.set(this.#samples);
    joined.set(samples, this.#samples.length);
    this.#samples = joined;
    this.#preview(0);
  }

  #preview(at_s) {
    const seconds = this.#samples.length / RATE_HZ;
    this.#player.preview(peaks(this.#samples, 32768), Math.min(at_s, seconds), seconds);
  }

  #done() {
    delete this.root.dataset.playing;
    const seconds = this.#samples.length / RATE_HZ;
    this.#player.load(this.#file(), peaks(this.#samples, 32768), seconds);
    this.#actions.hidden = false;
  }

  #file() {
    const name = `${this.#asked.voice}.wav`;
    return new File([wav(this.#samples, RATE_HZ)], name, { type: "audio/wav" });
  }

  /** WAV is what was heard; other formats are the server's to write. */
  async #download() {
    const { text, model, voice, speed, format } = this.#asked;
    if (format === "wav") {
      download(`${voice}.wav`, this.#file());
      return;
    }
    try {
      const content = { model, voice, input: text, speed, response_format: format };
      download(`${voice}.${format}`, await (await send("audio/speech", content)).blob());
    } catch (failure) {
      say(byId("speak-error"), failure.message);
    }
  }

  #offer(label, act) {
    const button = element("button", { type: "button", textContent: label });
    button.addEventListener("click", act);
    this.#actions.append(button);
  }
}

/** Rejects when a signal aborts. */
const aborted = (signal) =>
  new Promise((_, reject) => {
    const stop = () => reject(new DOMException("stopped", "AbortError"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
  });
