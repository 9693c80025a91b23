// Speaks a file to a server through the official Node SDK's realtime client, and prints every event.
//   node live.mjs BASE_URL PCM_FILE

import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const [baseURL, path] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "sk-none" });
const live = new OpenAIRealtimeWS({ intent: "transcription" }, client);
const pcm = readFileSync(path);
const events = [];

live.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
live.on("event", (event) => events.push(event));
live.on("session.created", () =>
  live.send({
    type: "session.update",
    session: {
      type: "transcription",
      audio: {
        input: {
          format: { type: "audio/pcm", rate: 24000 },
          transcription: { model: "gpt-4o-transcribe", language: "en" },
          turn_detection: { type: "server_vad", silence_duration_ms: 300 },
        },
      },
    },
  }),
);
live.on("session.updated", () => {
  for (let at = 0; at < pcm.length; at += 9600) {
    const audio = pcm.subarray(at, at + 9600).toString("base64");
    live.send({ type: "input_audio_buffer.append", audio });
  }
});
live.on("conversation.item.input_audio_transcription.completed", () => {
  live.socket.on("close", () => console.log(JSON.stringify({ url: String(live.url), events })));
  live.close();
});
