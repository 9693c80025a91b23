/** The tab "Transcribe": from a recording or a file to words that light up as they are heard. */

import { ApiError, base, events, send, submit } from "./api.js";
import { byId, clock, download, fill, say, took } from "./dom.js";
import { languages } from "./languages.js";
import { close, Meter, openMicrophone, Recording } from "./microphone.js";
import { Player } from "./player.js";
import { transcription } from "./snippets.js";
import { decoded, peaks, RATE_HZ, wav } from "./sound.js";
import { plain, srt, vtt } from "./subtitles.js";
import { Transcript } from "./transcript.js";

const DEFAULT = "whisper-1";
const LABELS_SPEAKERS = "gpt-4o-transcribe-diarize";
const WAVE_HZ = 8000;
const SAMPLE =
  "The myna sat on the garden wall and listened. When the postman whistled, it whistled back. " +
  "When the door bell rang, it rang as well, and everybody went to look who was there.";

export class TranscribeTab {
  #app;
  #file = null;
  /** Whether the file was made on this page, so that the visitor has no copy of it. */
  #made = false;
  #answer = null;
  #run = new AbortController();
  #working = false;
  #recording = null;
  #meter = new Meter(byId("record-meter"));
  #player = new Player(byId("player"), "the recording");
  #transcript = new Transcript(byId("transcript"), (seconds) => this.#playFrom(seconds));

  constructor(app) {
    this.#app = app;
    fill(byId("language"), [["", "Detect"], ...languages()]);
    byId("record").addEventListener("click", () => this.#record());
    byId("sample").addEventListener("click", () => this.#guarded((signal) => this.#sample(signal)));
    byId("again").addEventListener("click", () =>
      this.#working ? this.#halt() : this.transcribe(this.#file, this.#made),
    );
    byId("file").addEventListener("change", ({ target }) => {
      const [file] = target.files;
      target.value = ""; // so that the same file can be chosen again
      if (file) this.transcribe(file);
    });
    for (const id of ["stt-model", "language", "translate", "speakers"]) {
      byId(id).addEventListener("change", () => this.program());
    }
    byId("result").addEventListener("click", ({ target }) => this.#download(target));
    this.#player.addEventListener("tick", () =>
      this.#transcript.light(this.#player.seconds, this.#player.playing),
    );
    this.#takeDrops();
    this.program();
  }

  /** The speech-to-text models of the server. */
  models(names) {
    fill(byId("stt-model"), [DEFAULT, ...names].map((name) => [name, name]));
    this.program();
  }

  /** Write the program for what is chosen. */
  program() {
    const { model, language, translate, speakers } = this.#chosen();
    this.#app.code.set(
      "transcribe",
      transcription({
        baseUrl: base.href.replace(/\/$/, ""),
        keyed: this.#app.keyed,
        file: this.#file?.name ?? "talk.mp3",
        model: speakers && !translate && model === DEFAULT ? LABELS_SPEAKERS : model,
        language,
        translate,
        speakers,
      }),
    );
  }

  /** Transcribe a file, `made` here or not: text as it comes, then its words, then who speaks. */
  transcribe(file, made = false) {
    return this.#guarded(async (signal) => {
      this.#file = file;
      this.#made = made;
      this.#answer = null;
      this.program();
      this.#prepare(file);
      const began = performance.now();
      const first = await this.#stream(signal, began);
      byId("transcribe-status").textContent = "Finding when each word is said…";
      const answer = await this.#timed(signal);
      const labelled = this.#chosen().speakers ? await this.#labelled(signal) : null;
      this.#answer = { ...answer, ...(labelled && { segments: labelled.segments }) };
      this.#transcript.show(this.#answer.segments, answer.words);
      this.#transcript.light(this.#player.seconds, this.#player.playing);
      this.#finish(first, performance.now() - began);
    });
  }

  #chosen() {
    return {
      model: byId("stt-model").value || DEFAULT,
      language: byId("language").value,
      translate: byId("translate").checked,
      speakers: byId("speakers").checked && !byId("speakers-option").hidden,
    };
  }

  /** Run something that the next start of anything stops; say what goes wrong. */
  async #guarded(work) {
    this.#run.abort();
    this.#run = new AbortController();
    const { signal } = this.#run;
    say(byId("transcribe-error"));
    try {
      await work(signal);
    } catch (failure) {
      if (signal.aborted) return;
      byId("transcribe-status").textContent = "";
      say(byId("transcribe-error"), failure.message);
      this.#app.refused(failure);
    }
    if (!signal.aborted) this.#show(false);
  }

  /** Give up what runs; the server stops as well, as the connection closes. */
  #halt() {
    this.#run.abort();
    byId("transcribe-status").textContent = "Stopped.";
    this.#show(false);
  }

  /** One button for both, so that the focus stays where it is. */
  #show(working) {
    this.#working = working;
    byId("again").hidden = !this.#file;
    byId("again").textContent = working ? "Stop" : "Transcribe again";
  }

  async #prepare(file) {
    byId("result").hidden = false;
    byId("result-name").textContent = file.name;
    byId("result-facts").textContent = "";
    byId("downloads").hidden = true;
    // Whatever becomes of it: the visitor cannot say it again.
    byId("download-audio").hidden = !this.#made;
    this.#show(true);
    this.#transcript.clear();
    const made = this.#made;
    const buffer = await decoded(file, made ? RATE_HZ : WAVE_HZ);
    if (file !== this.#file) return;
    if (!buffer) {
      this.#player.load(file, null, 0);
      return;
    }
    const samples = buffer.getChannelData(0);
    // Browsers' recordings say no length and have no index: as WAV they can be searched.
    const playable = made ? wav(samples, buffer.sampleRate) : file;
    this.#player.load(playable, peaks(samples), buffer.duration);
  }

  /** Show the text while it comes; the milliseconds until it began. */
  async #stream(signal, began) {
    byId("transcribe-status").textContent = "Listening…";
    const response = await this.#post({ stream: "true" }, signal);
    let first = 0;
    for await (const event of events(response)) {
      if (event.type !== "transcript.text.delta" || !event.delta) continue;
      first ||= performance.now() - began;
      this.#transcript.append(event.delta);
    }
    return first;
  }

  async #timed(signal) {
    const fields = { response_format: "verbose_json", timestamp_granularities: ["segment", "word"] };
    return (await this.#post(fields, signal)).json();
  }

  /** The same by speakers; null, and not offered again, where the server does not label them. */
  async #labelled(signal) {
    byId("transcribe-status").textContent = "Telling the speakers apart…";
    const { model } = this.#chosen();
    const fields = {
      model: model === DEFAULT ? LABELS_SPEAKERS : model,
      response_format: "diarized_json",
      chunking_strategy: "auto",
    };
    try {
      return await (await this.#post(fields, signal)).json();
    } catch (failure) {
      if (!(failure instanceof ApiError) || failure.status !== 501) throw failure;
      byId("speakers-option").hidden = true;
      say(byId("transcribe-error"), failure.message);
      return null;
    }
  }

  #post(fields, signal) {
    const { model, language, translate } = this.#chosen();
    const route = translate ? "audio/translations" : "audio/transcriptions";
    return submit(route, { model, language, ...fields, file: this.#file }, { signal });
  }

  #finish(first, all) {
    const { language, duration, text } = this.#answer;
    const name = language.charAt(0).toUpperCase() + language.slice(1);
    const facts = [name, clock(duration), `first words after ${took(first)}`, `all in ${took(all)}`];
    byId("result-facts").textContent = text ? facts.join(" · ") : clock(duration);
    byId("transcribe-status").textContent = text
      ? "Done. Play it, or choose a word to hear it from there."
      : "Done. Nobody speaks in it.";
    byId("downloads").hidden = !text;
  }

  #playFrom(seconds) {
    this.#player.seek(seconds);
    this.#player.play();
  }

  async #record() {
    if (this.#recording) {
      const { recording, stream, timer } = this.#recording;
      this.#recording = null;
      clearInterval(timer);
      this.#meter.stop();
      this.#recordingShown(false);
      const file = await recording.stop();
      close(stream);
      await this.transcribe(file, true);
      return;
    }
    await this.#guarded(async () => {
      const stream = await openMicrophone();
      this.#player.stop();
      byId("transcribe-status").textContent = "Recording. Stop it, and it is transcribed.";
      this.#recordingShown(true);
      this.#meter.start(stream);
      const began = Date.now();
      const show = () => {
        byId("record-label").textContent = `Stop ${clock((Date.now() - began) / 1000)}`;
      };
      show();
      this.#recording = { recording: new Recording(stream), stream, timer: setInterval(show, 500) };
    });
  }

  #recordingShown(running) {
    byId("record").setAttribute("aria-pressed", running);
    byId("record-label").textContent = running ? "Stop" : "Record";
    byId("record-meter").hidden = !running;
  }

  async #sample(signal) {
    byId("transcribe-status").textContent = "Asking the server to say something…";
    const content = { model: "tts-1", voice: "alloy", input: SAMPLE, response_format: "pcm" };
    const response = await send("audio/speech", content, { signal });
    const samples = new Int16Array(await response.arrayBuffer());
    const file = new File([wav(samples, RATE_HZ)], "sample.wav", { type: "audio/wav" });
    await this.transcribe(file, true);
  }

  #download({ dataset: { download: kind } }) {
    if (kind === "audio") {
      download(this.#file.name, this.#file);
      return;
    }
    if (!kind || !this.#answer) return;
    const { segments } = this.#answer;
    const content = {
      srt: () => srt(segments),
      vtt: () => vtt(segments),
      txt: () => plain(segments),
      json: () => `${JSON.stringify(this.#answer, null, 2)}\n`,
    }[kind]();
    const name = this.#file.name.replace(/\.[^.]*$/, "");
    download(`${name}.${kind}`, new Blob([content], { type: "text/plain;charset=utf-8" }));
  }

  #takeDrops() {
    const zone = byId("drop");
    // The whole page takes drops: a file that falls beside the box must not replace the page.
    addEventListener("dragover", (event) => {
      event.preventDefault();
      zone.toggleAttribute("data-over", true);
    });
    addEventListener("dragleave", () => zone.removeAttribute("data-over"));
    addEventListener("drop", (event) => {
      event.preventDefault();
      zone.removeAttribute("data-over");
      const [file] = event.dataTransfer.files;
      if (file) this.#app.transcribe(file);
    });
  }
}
