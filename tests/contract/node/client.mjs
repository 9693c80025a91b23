// Calls a server through the official Node SDK and prints what came back, one object for each case.
//   node client.mjs BASE_URL AUDIO_FILE

import { createReadStream, readFileSync } from "node:fs";
import OpenAI, { toFile } from "openai";

const [baseURL, path] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "sk-none", maxRetries: 0, timeout: 120_000 });
const transcribe = (options = {}) =>
  client.audio.transcriptions.create({ file: createReadStream(path), model: "whisper-1", ...options });

async function streamed() {
  const events = [];
  for await (const event of await transcribe({ model: "gpt-4o-transcribe", stream: true })) {
    events.push(event);
  }
  return events;
}

async function spoken(options) {
  const response = await client.audio.speech.create({
    model: "gpt-4o-mini-tts", voice: "coral", input: "Two birds.", ...options,
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  return {
    type: response.headers.get("content-type"),
    size: bytes.length,
    head: bytes.subarray(0, 4).toString("latin1"),
    text: options.stream_format ? bytes.toString() : "",
  };
}

const cases = {
  json: () => transcribe(),
  text: () => transcribe({ response_format: "text" }),
  srt: () => transcribe({ response_format: "srt" }),
  vtt: () => transcribe({ response_format: "vtt" }),
  verbose_json: () =>
    transcribe({ response_format: "verbose_json", timestamp_granularities: ["word", "segment"] }),
  options: () =>
    transcribe({
      model: "gpt-4o-transcribe",
      language: "en",
      prompt: "Birds.",
      temperature: 0,
      include: ["logprobs"],
      chunking_strategy: { type: "server_vad", threshold: 0.5, silence_duration_ms: 200 },
    }),
  auto_chunking: () => transcribe({ chunking_strategy: "auto", stream: false }),
  unnamed: async () => transcribe({ file: await toFile(readFileSync(path)) }),
  misnamed: async () => transcribe({ file: await toFile(readFileSync(path), "x.mp3") }),
  streamed,
  translation: () =>
    client.audio.translations.create({ file: createReadStream(path), model: "whisper-1" }),
  translation_text: () =>
    client.audio.translations.create({
      file: createReadStream(path), model: "whisper-1", response_format: "text",
    }),
  mp3: () => spoken({}),
  wav: () => spoken({ response_format: "wav", speed: 1.2 }),
  sse: () => spoken({ stream_format: "sse" }),
  models: async () => (await client.models.list()).data.map((model) => model.id),
  model: () => client.models.retrieve("Systran/faster-whisper-base"),
  request_id: async () => (await client.models.list().withResponse()).request_id,
  bad_field: () => transcribe({ language: "xx" }),
  bad_file: async () => transcribe({ file: await toFile(Buffer.from("no audio"), "a.wav") }),
  unknown_model: () => client.models.retrieve("nope"),
  not_here: () =>
    client.audio.voices.create({ name: "Ann", type: "prompt", prompt: "A warm voice" }),
};

const results = {};
for (const [name, run] of Object.entries(cases)) {
  try {
    results[name] = { value: await run() };
  } catch (error) {
    const { status, type, code, param, requestID, message } = error;
    results[name] = { error: { class: error.constructor.name, status, type, code, param, requestID, message } };
  }
}
console.log(JSON.stringify(results));
