/** Where the parts of the page meet. */

import { ApiError, ask, key } from "./api.js";
import { CodePanel } from "./code.js";
import { byId } from "./dom.js";
import { LiveTab } from "./live.js";
import { SpeakTab } from "./speak.js";
import { tabs } from "./tabs.js";
import { TranscribeTab } from "./transcribe.js";

const AGAIN_MS = 1000;

class App {
  code = new CodePanel();
  /** Whether the server asks for a key. */
  keyed = false;
  #panels;
  #choose;

  constructor() {
    this.#panels = {
      transcribe: new TranscribeTab(this),
      speak: new SpeakTab(this),
      live: new LiveTab(this),
    };
    this.#choose = tabs(document.querySelector("main > [role=tablist]"), (tab) =>
      this.#show(tab.getAttribute("aria-controls")),
    );
    addEventListener("hashchange", () => this.#follow());
    byId("key").addEventListener("submit", (event) => {
      event.preventDefault();
      key.set(byId("key-field").value.trim());
      this.#greet();
    });
    this.#follow();
    this.#greet();
  }

  /** Take an error: one about the key brings up its field. */
  refused(failure) {
    if (failure instanceof ApiError && failure.status === 401) this.#askForKey(failure.message);
  }

  /** Transcribe a file that came to another panel, or was `made` by it. */
  transcribe(file, made = false) {
    if (byId("transcribe").hidden) {
      this.#choose(byId("tab-transcribe"));
      byId("tab-transcribe").focus();
    }
    return this.#panels.transcribe.transcribe(file, made);
  }

  #follow() {
    const named = byId(`tab-${location.hash.replace("#/", "")}`);
    this.#choose(named ?? byId("tab-transcribe"));
  }

  #show(place) {
    for (const name of Object.keys(this.#panels)) byId(name).hidden = name !== place;
    this.code.show(place);
    // With a slash it is no element's id: the browser would begin tabbing there, past the top.
    history.replaceState(null, "", `#/${place}`);
  }

  /** Wait for the models, then ask for what the panels offer. */
  async #greet() {
    try {
      const { models } = await this.#ready();
      const { voices } = await (await ask("audio/voices")).json();
      await ask("models"); // the first that needs a key
      this.keyed ||= key.get() !== "";
      const speaking = new Set(voices.map((voice) => voice.model));
      this.#panels.transcribe.models(models.filter((name) => !speaking.has(name)));
      this.#panels.speak.voices(voices);
      this.#panels.live.program();
      byId("key-hint").textContent = "It is kept in this tab only, until the tab is closed.";
      this.#state("ready", `Ready: ${[...new Set(models)].join(", ")}`);
    } catch (failure) {
      this.refused(failure);
      if (failure.status !== 401) this.#state("failed", failure.message);
    }
  }

  async #ready() {
    for (;;) {
      try {
        return await (await ask("ready")).json();
      } catch (failure) {
        if (failure.status !== 503) throw failure;
        this.#state("waiting", "Loading the models…");
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  #askForKey(message) {
    this.keyed = true;
    byId("key").hidden = false;
    byId("openapi").hidden = true; // a link carries no key
    byId("key-hint").textContent = key.get()
      ? message
      : "This server asks for one. It is kept in this tab only, until the tab is closed.";
    this.#state("failed", "This server asks for a key");
    for (const panel of Object.values(this.#panels)) panel.program();
    byId("key-field").focus();
  }

  #state(state, text) {
    byId("server").dataset.state = state;
    byId("server").textContent = text;
  }
}

new App();
