/** A transcript on the page: passages of words, each of which knows when it is said. */

import { clock, element } from "./dom.js";

/**
 * A text cut at its words: `{text, word}`, where `word` is the number of a word, or null for what is
 * between them. The words of an answer come without punctuation; they are found in order, and the
 * marks that touch a word go with it.
 */
export function align(text, words, first = 0) {
  const parts = [];
  let at = 0;
  let lead = "";
  let next = first;
  const between = (gap) => {
    const [, tail, space, head] = /^(\S*)(.*?)(\S*)$/s.exec(gap);
    if (parts.length) parts.at(-1).text += tail;
    else lead = tail;
    if (space) parts.push({ text: lead + space, word: null });
    lead = space ? head : lead;
  };
  for (; next < words.length; next += 1) {
    const found = text.indexOf(words[next].word, at);
    if (found < 0) break;
    between(text.slice(at, found));
    at = found + words[next].word.length;
    parts.push({ text: lead + words[next].word, word: next });
    lead = "";
  }
  between(text.slice(at));
  if (lead) parts.push({ text: lead, word: null });
  return { parts, next };
}

/** The number of the last word that has begun at a time; -1 before the first. */
export function wordAt(words, seconds) {
  let [low, high] = [0, words.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].start <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Shows a transcript in an element, and lights up its words. */
export class Transcript {
  #root;
  #words = [];
  #spans = [];
  #now = -1;
  #seek;

  /** `seek` is called with the second of a word or passage that was chosen. */
  constructor(root, seek) {
    this.#root = root;
    this.#seek = seek;
    root.addEventListener("click", ({ target }) => {
      const chosen = target.closest("[data-start]");
      if (chosen) this.#seek(Number(chosen.dataset.start));
    });
  }

  /** Begin anew with text that is still coming. */
  clear() {
    this.#words = [];
    this.#spans = [];
    this.#now = -1;
    this.#root.replaceChildren();
    this.#root.dataset.coming = "";
    this.#root.setAttribute("aria-live", "polite");
    delete this.#root.dataset.playing;
  }

  /** More text. */
  append(text) {
    this.#root.append(text);
  }

  /** The whole: `segments` with start, text and perhaps a speaker; `words` with start and end. */
  show(segments, words) {
    this.clear();
    delete this.#root.dataset.coming;
    this.#root.setAttribute("aria-live", "off"); // it was read out while it came
    this.#words = words;
    const speakers = [];
    let next = 0;
    let last = null;
    for (const { start, text, speaker = null } of segments) {
      const aligned = align(text.trim(), words, next);
      next = aligned.next;
      if (speaker !== null && !speakers.includes(speaker)) speakers.push(speaker);
      const passage = element("div", { className: "passage" });
      if (speaker !== null && speaker !== last) {
        const who = String(speakers.indexOf(speaker) % 4);
        passage.append(
          element("span", { className: "speaker", textContent: speaker, dataset: { who } }),
        );
      }
      last = speaker;
      passage.append(this.#stamp(start), element("p", {}, ...aligned.parts.map(this.#part)));
      this.#root.append(passage);
    }
  }

  /** Light the word that is said at a time; `playing` dims those that are to come. */
  light(seconds, playing) {
    const at = wordAt(this.#words, seconds);
    const over = at >= 0 && seconds > this.#words[at].end + 0.3;
    this.#root.toggleAttribute("data-playing", playing);
    if (at !== this.#now) {
      const [from, to] = [Math.min(at, this.#now) + 1, Math.max(at, this.#now)];
      for (let place = from; place <= to; place += 1) {
        this.#spans[place]?.classList.toggle("said", place <= at);
      }
      this.#spans[this.#now]?.classList.remove("now");
      this.#now = at;
    }
    this.#spans[at]?.classList.toggle("now", !over);
  }

  #part = ({ text, word }) => {
    if (word === null) return text;
    const start = this.#words[word].start;
    const span = element("span", { className: "word", textContent: text, dataset: { start } });
    this.#spans[word] = span;
    return span;
  };

  #stamp(start) {
    return element("button", {
      type: "button",
      className: "at",
      textContent: clock(start),
      title: "Play from here",
      "aria-label": `Play from ${clock(start)}`,
      dataset: { start },
    });
  }
}
