/** Subtitles of segments, byte for byte as the server writes them in srt and vtt. */

/** SubRip. */
export function srt(segments) {
  const cues = cuesOf(segments).map(
    ([start, end, text], number) =>
      `${number + 1}\n${start.replace(".", ",")} --> ${end.replace(".", ",")}\n${text}\n\n`,
  );
  return cues.length ? `${cues.join("")}\n` : "";
}

/** WebVTT. */
export function vtt(segments) {
  return `WEBVTT\n\n${cuesOf(segments)
    .map(([start, end, text]) => `${start} --> ${end}\n${text}\n\n`)
    .join("")}`;
}

/** Plain text: all on one line, or a line for each part of a speaker. */
export function plain(segments) {
  const parts = [];
  for (const { text, speaker = null } of segments) {
    // Segments of speakers come trimmed, others with the space that is before them.
    const joined = speaker === null ? text : ` ${text.trim()}`;
    if (parts.length && parts.at(-1).speaker === speaker) parts.at(-1).text += joined;
    else parts.push({ speaker, text: joined });
  }
  return parts.map((part) => `${named(part)}${part.text.trim()}\n`).join("");
}

function cuesOf(segments) {
  const cues = [];
  for (const segment of segments) {
    // An empty line would end the cue, an arrow would start a new one.
    const lines = segment.text.split(/\r\n|[\n\r\u2028\u2029]/).map((line) => line.trim());
    const said = lines.filter((line) => line).join("\n");
    const text = said && (named(segment) + said).replace(/-{2,}>/g, "->");
    if (text) cues.push([stamp(segment.start), stamp(segment.end), text]);
  }
  return cues;
}

const named = ({ speaker = null }) => (speaker === null ? "" : `${speaker}: `);

function stamp(seconds) {
  const ms = Math.round(seconds * 1000);
  const pad = (value, digits = 2) => String(value).padStart(digits, "0");
  const [hours, minutes] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60];
  return `${pad(hours)}:${pad(minutes)}:${pad(Math.floor(ms / 1000) % 60)}.${pad(ms % 1000, 3)}`;
}
