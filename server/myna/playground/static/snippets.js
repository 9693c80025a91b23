/** What was just done, as curl, Python and Node would do it. Pure: settings in, programs out. */

/** A word as a POSIX shell reads it. */
const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
/** A string literal, the same in JavaScript and Python. */
const literal = (text) => JSON.stringify(text);

const KEY = "MYNA_API_KEY";

const curlHead = ({ baseUrl, keyed }, path) => [
  `curl ${shell(`${baseUrl}/${path}`)}`,
  ...(keyed ? [`  -H "Authorization: Bearer $${KEY}"`] : []),
];

const pythonHead = ({ baseUrl, keyed }, { more = [], client = "OpenAI" } = {}) =>
  [
    ...[...more, ...(keyed ? ["os"] : [])].sort().map((name) => `import ${name}`),
    ...(keyed || more.length ? [""] : []),
    `from openai import ${client}`,
    "",
    `client = ${client}(`,
    `    base_url=${literal(baseUrl)},`,
    `    api_key=${keyed ? `os.environ["${KEY}"]` : '"none"'},`,
    ")",
    "",
  ].join("\n");

const nodeHead = ({ baseUrl, keyed }) =>
  [
    'import fs from "node:fs";',
    'import OpenAI from "openai";',
    "",
    "const client = new OpenAI({",
    `  baseURL: ${literal(baseUrl)},`,
    `  apiKey: ${keyed ? `process.env.${KEY}` : '"none"'},`,
    "});",
    "",
  ].join("\n");

/**
 * A transcription: `{baseUrl, keyed, file, model, language, translate, speakers}`. Words are asked
 * for unless speakers are; a translation has segments.
 */
export function transcription(settings) {
  const { file, model, language, translate, speakers } = settings;
  const route = translate ? "translations" : "transcriptions";
  const labelled = speakers && !translate;
  const format = labelled ? "diarized_json" : "verbose_json";
  const words = !labelled && !translate;

  const fields = [["model", model]];
  if (language) fields.push(["language", language]);
  fields.push(["response_format", format]);
  if (labelled) fields.push(["chunking_strategy", "auto"]);

  const part = ([name, value]) => `  -F ${shell(`${name}=${value}`)}`;
  const curl = [
    ...curlHead(settings, `audio/${route}`),
    ...[...fields, ...(words ? [["timestamp_granularities[]", "word"]] : [])].map(part),
    // A name with a comma or semicolon has to be quoted for curl itself.
    `  -F ${shell(`file=@${/[,;"]/.test(file) ? literal(file) : file}`)}`,
  ].join(" \\\n");

  const python = [
    pythonHead(settings),
    `with open(${literal(file)}, "rb") as audio:`,
    `    transcript = client.audio.${route}.create(`,
    "        file=audio,",
    ...sdkFields(fields, translate).map(([name, value]) => `        ${name}=${literal(value)},`),
    ...(words ? ['        timestamp_granularities=["word"],'] : []),
    "    )",
    "",
    ...pythonPrints({ words, labelled }),
    "",
  ].join("\n");

  const node = [
    nodeHead(settings),
    `const transcript = await client.audio.${route}.create({`,
    `  file: fs.createReadStream(${literal(file)}),`,
    ...sdkFields(fields, translate).map(([name, value]) => `  ${name}: ${literal(value)},`),
    ...(words ? ['  timestamp_granularities: ["word"],'] : []),
    "});",
    "",
    ...nodePrints({ words, labelled }),
    "",
  ].join("\n");

  return { curl: `${curl}\n`, Python: python, Node: node };
}

/** The SDKs' translations know no language. */
const sdkFields = (fields, translate) =>
  fields.filter(([name]) => !(translate && name === "language"));

function pythonPrints({ words, labelled }) {
  if (words) return ["for word in transcript.words:", '    print(f"{word.start:7.2f}  {word.word}")'];
  const said = labelled ? "{segment.speaker}: {segment.text}" : "{segment.text}";
  return ["for segment in transcript.segments:", `    print(f"{segment.start:7.2f}  ${said}")`];
}

function nodePrints({ words, labelled }) {
  const [many, one] = words ? ["words", "word"] : ["segments", "segment"];
  const said = words ? "word.word" : labelled ? "segment.speaker, segment.text" : "segment.text";
  return [
    `for (const ${one} of transcript.${many}) {`,
    `  console.log(${one}.start.toFixed(2), ${said});`,
    "}",
  ];
}

/** Speech: `{baseUrl, keyed, text, model, voice, speed, format}`. */
export function speech(settings) {
  const { text, model, voice, speed, format } = settings;
  const file = `speech.${format}`;
  const fields = { model, voice, input: text };
  if (format !== "mp3") fields.response_format = format;
  if (speed !== 1) fields.speed = speed;
  const members = Object.entries(fields);
  const literalOf = (value) => (typeof value === "number" ? String(value) : literal(value));

  const curl = [
    ...curlHead(settings, "audio/speech"),
    "  -H 'Content-Type: application/json'",
    `  -d ${shell(JSON.stringify(fields))}`,
    `  -o ${file}`,
  ].join(" \\\n");

  const python = [
    pythonHead(settings),
    "with client.audio.speech.with_streaming_response.create(",
    ...members.map(([name, value]) => `    ${name}=${literalOf(value)},`),
    ") as speech:",
    `    speech.stream_to_file("${file}")`,
    "",
  ].join("\n");

  const node = [
    nodeHead(settings),
    "const speech = await client.audio.speech.create({",
    ...members.map(([name, value]) => `  ${name}: ${literalOf(value)},`),
    "});",
    `fs.writeFileSync("${file}", Buffer.from(await speech.arrayBuffer()));`,
    "",
  ].join("\n");

  return { curl: `${curl}\n`, Python: python, Node: node };
}

/** Live captions of a file: `{baseUrl, keyed, language}`. curl speaks no WebSocket. */
export function captions(settings) {
  const { baseUrl, keyed, language } = settings;
  const session = {
    type: "transcription",
    audio: {
      input: {
        format: { type: "audio/pcm", rate: 24000 },
        transcription: { model: "whisper-1", ...(language ? { language } : {}) },
        turn_detection: { type: "server_vad" },
      },
    },
  };
  const shown = JSON.stringify(session, null, 4);
  const done = "conversation.item.input_audio_transcription.completed";

  const python = [
    pythonHead(settings, { client: "AsyncOpenAI", more: ["asyncio", "base64", "wave"] }),
    `SESSION = ${shown}`,
    "",
    "",
    "async def main():",
    '    # 24 kHz, mono, 16 bits: ffmpeg -i talk.mp3 -ar 24000 -ac 1 -c:a pcm_s16le talk.wav',
    '    with wave.open("talk.wav") as talk:',
    "        audio = talk.readframes(talk.getnframes())",
    '    query = {"intent": "transcription"}',
    "    async with client.realtime.connect(extra_query=query) as live:",
    "        await live.session.update(session=SESSION)",
    "        for at in range(0, len(audio), 4800):  # 0.1 s",
    "            piece = base64.b64encode(audio[at : at + 4800]).decode()",
    "            await live.input_audio_buffer.append(audio=piece)",
    "        await live.input_audio_buffer.append(",
    "            audio=base64.b64encode(bytes(48000)).decode()  # silence ends the last turn",
    "        )",
    "        async for event in live:",
    `            if event.type == "${done}":`,
    "                print(event.transcript)",
    "                break",
    "",
    "",
    "asyncio.run(main())",
    "",
  ].join("\n");

  const node = [
    "// Node 22 or newer, or a browser.",
    `const url = ${literal(`${baseUrl.replace(/^http/, "ws")}/realtime?intent=transcription`)};`,
    ...(keyed
      ? [`const key = \`openai-insecure-api-key.\${process.env.${KEY}}\`;`]
      : []),
    `const live = new WebSocket(url, ["realtime"${keyed ? ", key" : ""}]);`,
    "const send = (event) => live.send(JSON.stringify(event));",
    "",
    'live.addEventListener("open", async () => {',
    `  send({ type: "session.update", session: ${JSON.stringify(session, null, 2).replaceAll("\n", "\n  ")} });`,
    '  // 24 kHz, mono, 16 bits, no header: ffmpeg -i talk.mp3 -ar 24000 -ac 1 -f s16le talk.pcm',
    '  const { readFileSync } = await import("node:fs");',
    '  const audio = Buffer.concat([readFileSync("talk.pcm"), Buffer.alloc(48000)]);',
    '  send({ type: "input_audio_buffer.append", audio: audio.toString("base64") });',
    "});",
    'live.addEventListener("message", ({ data }) => {',
    "  const event = JSON.parse(data);",
    `  if (event.type === "${done}") console.log(event.transcript);`,
    "});",
    "",
  ].join("\n");

  return { Python: python, Node: node };
}
