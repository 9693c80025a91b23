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

const pythonHead = (
  { baseUrl, keyed },
  { more = [], client = "OpenAI", install = "openai" } = {},
) =>
  [
    `# pip install ${install}`,
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

const nodeHead = ({ baseUrl, keyed }, name) =>
  [
    `// npm install openai, then: node ${name}.mjs`,
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
    nodeHead(settings, "transcribe"),
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
  const shown = members.map(([name, value]) => `    ${literal(name)}: ${literalOf(value)}`);

  const curl = [
    ...curlHead(settings, "audio/speech"),
    "  -H 'Content-Type: application/json'",
    `  -d ${shell(`{\n${shown.join(",\n")}\n  }`)}`,
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
    nodeHead(settings, "speak"),
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

  const python = [
    pythonHead(settings, {
      client: "AsyncOpenAI",
      install: "'openai[realtime]'",
      more: ["asyncio", "base64", "wave"],
    }),
    ...session("SESSION = ", language, "    "),
    "",
    "",
    "async def send(live):",
    "    # 24 kHz, mono: ffmpeg -i talk.mp3 -ar 24000 -ac 1 talk.wav",
    '    with wave.open("talk.wav") as talk:',
    "        while piece := talk.readframes(2400):  # 0.1 s, as it is spoken",
    "            audio = base64.b64encode(piece).decode()",
    "            await live.input_audio_buffer.append(audio=audio)",
    "            await asyncio.sleep(0.1)",
    "    await live.input_audio_buffer.commit()",
    "    await live.input_audio_buffer.clear()  # is answered when all was heard",
    "",
    "",
    "async def show(live):",
    "    turns, heard = 0, False",
    "    async for event in live:",
    '        kind = event.type.rpartition(".")[2]',
    '        if kind == "delta":',
    '            print(event.delta, end="", flush=True)',
    '        elif kind == "committed":',
    "            turns += 1",
    '        elif kind == "cleared":',
    "            heard = True",
    '        elif kind in ("completed", "failed", "error"):',
    '            turns -= kind != "error"',
    '            print("" if kind == "completed" else event.error.message)',
    "        if heard and turns == 0:",
    "            break",
    "",
    "",
    "async def main():",
    '    query = {"intent": "transcription"}',
    "    async with client.realtime.connect(extra_query=query) as live:",
    "        await live.session.update(session=SESSION)",
    "        await asyncio.gather(send(live), show(live))",
    "",
    "",
    "asyncio.run(main())",
    "",
  ].join("\n");

  const node = [
    "// Node 22 or newer: node captions.mjs",
    'import { readFileSync } from "node:fs";',
    'import { setTimeout as pause } from "node:timers/promises";',
    "",
    `const url = ${literal(`${baseUrl.replace(/^http/, "ws")}/realtime?intent=transcription`)};`,
    ...(keyed ? [`const key = \`openai-insecure-api-key.\${process.env.${KEY}}\`;`] : []),
    `const live = new WebSocket(url, ["realtime"${keyed ? ", key" : ""}]);`,
    "const send = (event) => live.send(JSON.stringify(event));",
    ...session("const session = ", language, "  ").slice(0, -1),
    "};",
    "",
    'live.addEventListener("open", async () => {',
    '  send({ type: "session.update", session });',
    "  // 24 kHz, mono, no header: ffmpeg -i talk.mp3 -ar 24000 -ac 1 -f s16le talk.pcm",
    '  const talk = readFileSync("talk.pcm");',
    "  for (let at = 0; at < talk.length; at += 4800) {",
    '    const audio = talk.toString("base64", at, at + 4800); // 0.1 s, as it is spoken',
    '    send({ type: "input_audio_buffer.append", audio });',
    "    await pause(100);",
    "  }",
    '  send({ type: "input_audio_buffer.commit" });',
    '  send({ type: "input_audio_buffer.clear" }); // is answered when all was heard',
    "});",
    "",
    "let [turns, heard] = [0, false];",
    'live.addEventListener("message", ({ data }) => {',
    "  const event = JSON.parse(data);",
    '  const kind = event.type.split(".").at(-1);',
    '  if (kind === "delta") process.stdout.write(event.delta);',
    '  if (kind === "committed") turns += 1;',
    '  if (kind === "cleared") heard = true;',
    '  if (["completed", "failed", "error"].includes(kind)) {',
    '    turns -= kind !== "error";',
    '    console.log(kind === "completed" ? "" : event.error.message);',
    "  }",
    "  if (heard && turns === 0) live.close();",
    "});",
    "",
    "const fail = (why) => {",
    "  console.error(why);",
    "  process.exit(1);",
    "};",
    'live.addEventListener("error", ({ message }) => fail(message || "No connection."));',
    'live.addEventListener("close", ({ code, reason }) => {',
    "  if (!heard || turns > 0) fail(`The session was closed: ${code} ${reason}`);",
    "});",
    "",
  ].join("\n");

  return { Python: python, Node: node };
}

/** The settings of a session, as Python and JavaScript both read them. */
function session(named, language, indent) {
  const input = {
    transcription: { model: "whisper-1", ...(language && { language }) },
    turn_detection: { type: "server_vad" },
  };
  const members = (content) =>
    Object.entries(content).map(([name, value]) => `${literal(name)}: ${JSON.stringify(value)}`);
  return [
    `${named}{`,
    `${indent}"type": "transcription",`,
    `${indent}"audio": {"input": {`,
    ...Object.entries(input).map(
      ([name, value]) => `${indent.repeat(2)}${literal(name)}: {${members(value).join(", ")}},`,
    ),
    `${indent}}},`,
    "}",
  ];
}
