/** The tab "Live captions": the microphone's words while they are spoken. */

import { base } from "./api.js";
import { byId, download, element, fill, say } from "./dom.js";
import { languages } from "./languages.js";
import { Capture, close, Meter, openMicrophone } from "./microphone.js";
import { Captioning } from "./realtime.js";
import { captions } from "./snippets.js";

const MODEL = "whisper-1";

export class LiveTab {
  #app;
  #running = null;
  #meter = new Meter(byId("live-meter"));
  #lines = new Map();

  constructor(app) {
    this.#app = app;
    fill(byId("live-language"), [["", "Detect"], ...languages()]);
    byId("listen").addEventListener("click", () => (this.#running ? this.#stop() : this.#start()));
    byId("live-language").addEventListener("change", () => this.program());
    byId("captions-save").addEventListener("click", () => this.#save());
    byId("captions-clear").addEventListener("click", () => this.#clear());
    this.program();
  }

  /** Write the program for what is chosen. */
  program() {
    this.#app.code.set(
      "live",
      captions({
        baseUrl: base.href.replace(/\/$/, ""),
        keyed: this.#app.keyed,
        language: byId("live-language").value,
      }),
    );
  }

  async #start() {
    say(byId("live-error"));
    byId("listen").disabled = true;
    try {
      const stream = await openMicrophone();
      const session = new Captioning({ model: MODEL, language: byId("live-language").value });
      this.#follow(session);
      const capture = await Capture.start(stream, (samples) => session.hear(samples));
      this.#meter.start(stream);
      this.#running = { stream, session, capture };
      this.#shown(true);
      this.#status("Listening.");
      if (session.closed) await this.#stop();
    } catch (failure) {
      say(byId("live-error"), failure.message);
    }
    byId("listen").disabled = false;
  }

  async #stop() {
    const { stream, session, capture } = this.#running;
    this.#running = null;
    this.#meter.stop();
    await capture.stop();
    close(stream);
    this.#shown(false);
    this.#status("Writing down the last words…");
    await session.stop();
    this.#status("Stopped.");
  }

  #follow(session) {
    const line = (item) => this.#line(item);
    session.addEventListener("delta", ({ detail: { item, text } }) => {
      line(item).append(text);
      this.#scroll();
    });
    session.addEventListener("completed", ({ detail: { item, text } }) => {
      const shown = line(item);
      shown.textContent = text;
      shown.className = "";
      if (!text) this.#drop(item);
      this.#scroll();
    });
    session.addEventListener("problem", ({ detail }) => say(byId("live-error"), detail));
    session.addEventListener("closed", () => {
      if (this.#running?.session === session) this.#stop();
    });
  }

  #line(item) {
    if (!this.#lines.has(item)) {
      const line = element("p", { className: "coming" });
      this.#lines.set(item, line);
      byId("captions").append(line);
      byId("captions-card").hidden = false;
    }
    return this.#lines.get(item);
  }

  #drop(item) {
    this.#lines.get(item).remove();
    this.#lines.delete(item);
  }

  #scroll() {
    byId("captions").scrollTop = byId("captions").scrollHeight;
  }

  #shown(running) {
    byId("listen").setAttribute("aria-pressed", running);
    byId("listen-label").textContent = running ? "Stop listening" : "Start listening";
  }

  #status(text) {
    byId("live-status").textContent = text;
  }

  #save() {
    const text = [...this.#lines.values()].map((line) => `${line.textContent}\n`).join("");
    download("captions.txt", new Blob([text], { type: "text/plain;charset=utf-8" }));
  }

  #clear() {
    byId("captions").replaceChildren();
    this.#lines.clear();
    byId("captions-card").hidden = true;
  }
}
