/** Tabs by the keyboard pattern of the ARIA guide: one stop for Tab, arrows between them. */

/** Make a tablist work. `shown` is called with the tab whenever another one is chosen. */
export function tabs(list, shown) {
  const all = () => [...list.querySelectorAll("[role=tab]")];

  function choose(tab) {
    for (const each of all()) {
      const chosen = each === tab;
      each.setAttribute("aria-selected", chosen);
      each.tabIndex = chosen ? 0 : -1;
    }
    shown(tab);
  }

  list.addEventListener("click", ({ target }) => {
    const tab = target.closest("[role=tab]");
    if (tab) choose(tab);
  });
  list.addEventListener("keydown", (event) => {
    const present = all();
    const at = present.indexOf(event.target);
    const to = {
      ArrowRight: (at + 1) % present.length,
      ArrowLeft: (at + present.length - 1) % present.length,
      Home: 0,
      End: present.length - 1,
    }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    present[to].focus();
    choose(present[to]);
  });
  return choose;
}
