/** A player: a button, a wave that is a slider, and the time. */

import { clock, element } from "./dom.js";
import { drawBars } from "./sound.js";

const PATHS = {
  play: "M4 2.5v11a.8.8 0 0 0 1.2.7l9-5.5a.8.8 0 0 0 0-1.4l-9-5.5A.8.8 0 0 0 4 2.5z",
  pause: "M3.5 2h3v12h-3zM9.5 2h3v12h-3z",
};
/** How far an arrow key goes, in seconds: a look back at what was just said. */
const STEP_S = 2;
const SVG = "http://www.w3.org/2000/svg";

export class Player extends EventTarget {
  #audio = new Audio();
  #button = element("button", { type: "button", className: "play" });
  #slider = element("input", { type: "range", min: 0, max: 0, step: 0.1, value: 0 });
  #canvas = element("canvas", { "aria-hidden": "true" });
  #time = element("time");
  #peaks = new Float32Array(1);
  #known_s = 0;
  #name;

  /** Fill an element with a player. `name` is what it says it plays. Emits `tick`. */
  constructor(root, name) {
    super();
    this.#name = name;
    this.#slider.setAttribute("aria-label", `Position in ${name}`);
    root.classList.add("player");
    root.replaceChildren(
      this.#button,
      element("div", { className: "wave" }, this.#canvas, this.#slider),
      this.#time,
    );
    this.#button.addEventListener("click", () => this.toggle());
    this.#slider.addEventListener("input", () => this.seek(Number(this.#slider.value)));
    this.#slider.addEventListener("keydown", (event) => this.#step(event));
    for (const kind of ["play", "pause", "ended", "seeked", "loadedmetadata", "durationchange"]) {
      this.#audio.addEventListener(kind, () => this.#show());
    }
    this.#audio.addEventListener("play", () => this.#follow());
    this.#audio.addEventListener("ended", () => this.dispatchEvent(new Event("ended")));
    new ResizeObserver(() => this.#show()).observe(root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#show());
    this.#usable(false);
    this.#show();
  }

  /** Take another file. `seconds` is its length, for files that do not say. */
  load(blob, peaks, seconds) {
    this.stop();
    if (this.#audio.src) URL.revokeObjectURL(this.#audio.src);
    this.#known_s = seconds;
    this.#peaks = peaks ?? new Float32Array(1);
    this.#audio.src = URL.createObjectURL(blob);
    this.#usable(true);
    this.#show();
  }

  /** Draw what is being played elsewhere while it comes: its wave so far, and where it is. */
  preview(peaks, at_s, seconds) {
    this.#peaks = peaks;
    this.#known_s = seconds;
    this.#draw(at_s);
  }

  get playing() {
    return !this.#audio.paused && !this.#audio.ended;
  }

  get seconds() {
    return this.#audio.currentTime;
  }

  get duration() {
    const told = this.#audio.duration;
    return Number.isFinite(told) && told > 0 ? told : this.#known_s;
  }

  toggle() {
    if (this.playing) this.#audio.pause();
    else this.play();
  }

  /** Resolves once it plays; a file that the browser cannot play stays silent. */
  play() {
    return this.#audio.play().catch(() => {});
  }

  stop() {
    this.#audio.pause();
  }

  seek(seconds) {
    this.#audio.currentTime = seconds;
    this.#show();
  }

  /** Before there is a file there is nothing to play. */
  #usable(can) {
    this.#button.disabled = !can;
    this.#slider.disabled = !can;
  }

  #step(event) {
    const by = { ArrowLeft: -STEP_S, ArrowDown: -STEP_S, ArrowRight: STEP_S, ArrowUp: STEP_S }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.seek(Math.min(Math.max(this.seconds + by, 0), this.duration));
  }

  #follow() {
    if (!this.playing) return;
    this.#show();
    requestAnimationFrame(() => this.#follow());
  }

  #show() {
    const shown = this.playing ? "pause" : "play";
    if (this.#button.dataset.shows !== shown) {
      this.#button.dataset.shows = shown;
      this.#button.setAttribute("aria-label", `${shown === "play" ? "Play" : "Pause"} ${this.#name}`);
      this.#button.replaceChildren(icon(shown));
    }
    this.#draw(this.seconds);
    this.dispatchEvent(new Event("tick"));
  }

  #draw(at_s) {
    const all_s = this.duration;
    const spoken = `${clock(at_s)} of ${clock(all_s)}`;
    this.#slider.max = all_s;
    this.#slider.value = at_s;
    this.#slider.setAttribute("aria-valuetext", spoken);
    this.#time.textContent = `${clock(at_s)} / ${clock(all_s)}`;
    drawBars(this.#canvas, this.#peaks, all_s ? at_s / all_s : 0);
  }
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
