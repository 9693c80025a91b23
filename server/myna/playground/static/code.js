/** The panel with the programs: one for each of the page's tabs. */

import { byId, element } from "./dom.js";
import { tabs } from "./tabs.js";

export class CodePanel {
  #list = byId("code-tabs");
  #programs = new Map();
  #place = "";
  /** What the visitor chose; where it is missing another is shown, but not chosen. */
  #wanted = "curl";
  #choose;

  constructor() {
    this.#choose = tabs(this.#list, (tab) => this.#print(tab.textContent));
    this.#list.addEventListener("click", () => this.#keep());
    this.#list.addEventListener("keydown", () => this.#keep());
    byId("copy").addEventListener("click", () => this.#copy());
  }

  /** The programs of a tab of the page, by language. */
  set(place, programs) {
    this.#programs.set(place, programs);
    if (place === this.#place) this.#update();
  }

  /** Show those of another tab. */
  show(place) {
    this.#place = place;
    this.#update();
  }

  #update() {
    const languages = Object.keys(this.#programs.get(this.#place) ?? {});
    const shown = [...this.#list.children].map((tab) => tab.textContent);
    if (languages.join() !== shown.join()) {
      this.#list.replaceChildren(
        ...languages.map((name) =>
          element("button", {
            type: "button",
            role: "tab",
            id: `code-${name}`,
            textContent: name,
            "aria-controls": "code",
          }),
        ),
      );
    }
    const wanted = languages.indexOf(this.#wanted);
    if (languages.length) this.#choose(this.#list.children[Math.max(0, wanted)]);
  }

  #keep() {
    this.#wanted = this.#list.querySelector("[aria-selected=true]").textContent;
  }

  #print(language) {
    byId("code").textContent = this.#programs.get(this.#place)[language];
    byId("copied").textContent = "";
  }

  async #copy() {
    const text = byId("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
      byId("copied").textContent = "Copied.";
    } catch {
      // Pages over plain HTTP have no clipboard: select it, so that one key copies it.
      getSelection().selectAllChildren(byId("code"));
      byId("copied").textContent = "Selected; copy it with the keyboard.";
    }
  }
}
