/** Making and finding elements. Text only ever becomes text. */

/** The element with an id. */
export const byId = (id) => document.getElementById(id);

/** A new element: its properties (`dataset` and `aria…` too), then what is inside. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "dataset") Object.assign(made.dataset, value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Fill a select; each option is [value, text]. The chosen value stays where it is still there. */
export function fill(select, options) {
  const chosen = select.value;
  select.replaceChildren(
    ...options.map(([value, text]) => element("option", { value, textContent: text })),
  );
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

/** Show a message in an alert, or hide it where there is none. */
export function say(alert, message = "") {
  alert.textContent = message;
  alert.hidden = message === "";
}

/** Hand the user a file. */
export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Seconds as 0:07, 12:34 or 1:02:03. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const tail = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** A span of time in words a person would use: 340 ms, 2.1 s. */
export const took = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
