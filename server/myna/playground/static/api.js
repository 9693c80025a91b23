/** The server that this page came from: where it answers, what it wants, how it says no. */

const STORED = "myna-key";

/** Relative to the page, so that it holds behind a proxy that serves Myna under a path of its own. */
export const base = new URL("v1/", document.baseURI);

/** An answer that is no success; the message is the server's own. */
export class ApiError extends Error {
  constructor(status, { message, code = null }) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The key: kept for this tab, so that a reload does not ask again. */
export const key = {
  get: () => sessionStorage.getItem(STORED) ?? "",
  set: (value) =>
    value ? sessionStorage.setItem(STORED, value) : sessionStorage.removeItem(STORED),
};

/** The answer to a request, once its head is there. Throws an ApiError unless it is a success. */
export async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (key.get()) headers.set("authorization", `Bearer ${key.get()}`);
  let response;
  try {
    response = await fetch(new URL(path, base), { ...options, headers });
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw new ApiError(0, { message: "The server cannot be reached, or it hung up." });
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** POST an object as JSON. */
export const send = (path, content, options = {}) =>
  ask(path, {
    ...options,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(content),
  });

/** POST a form; of a field whose value is a list each item is sent, of an empty one nothing. */
export function submit(path, fields, options = {}) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof File) body.append(name, value, value.name);
    else if (Array.isArray(value)) for (const item of value) body.append(`${name}[]`, item);
    else if (value !== "") body.append(name, value);
  }
  return ask(path, { ...options, method: "POST", body });
}

/** The events of an event stream, parsed, without the closing [DONE]. Throws what it reports. */
export async function* events(response) {
  let held = "";
  for await (const text of chunks(response.body.pipeThrough(new TextDecoderStream()))) {
    const blocks = (held + text).split("\n\n");
    held = blocks.pop();
    for (const block of blocks) {
      const data = block.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const event = JSON.parse(data);
      if (event.error) throw new ApiError(response.status, event.error);
      yield event;
    }
  }
}

/** What a stream yields. Not every browser can iterate over one by itself. */
export async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function refusal(response) {
  const body = await response.json().catch(() => null);
  const message = `The server answered with status ${response.status}.`;
  return new ApiError(response.status, body?.error ?? { message });
}
