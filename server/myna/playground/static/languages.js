/** The languages that Whisper knows, by the names that the visitor's browser has for them. */

const CODES =
  "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he " +
  "hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne " +
  "nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk " +
  "ur uz vi yi yo yue zh";

/** [code, name] of each, in the order of names. */
export function languages() {
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  // Whisper's code for Javanese is its own.
  const name = (code) => names.of(code === "jw" ? "jv" : code);
  return CODES.split(" ")
    .map((code) => [code, name(code)])
    .sort(([, a], [, b]) => a.localeCompare(b));
}
