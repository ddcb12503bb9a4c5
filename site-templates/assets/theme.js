// @ts-check
// The theme: automatic, light or dark. A classic script in <head>, without defer, so that the saved theme is there
// before the first paint; and classic because a report opened from disk cannot load modules.
(() => {
  const KEY = "call-metrics:theme";
  const THEMES = ["auto", "light", "dark"];
  const WORDS = /** @type {Record<string, string>} */ ({ auto: "automatic", light: "light", dark: "dark" });
  const root = document.documentElement;

  const saved = () => {
    try { return localStorage.getItem(KEY) ?? "auto"; } catch { return "auto"; }
  };
  /** @param {string} theme */
  const save = (theme) => {
    try { localStorage.setItem(KEY, theme); } catch { /* blocked: it lasts as long as this page */ }
  };

  let theme = saved();
  if (!THEMES.includes(theme)) theme = "auto";

  const apply = () => {
    if (theme === "auto") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme);
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.removeAttribute("hidden");
      button.setAttribute("data-now", theme);
      button.setAttribute("aria-label", `Theme: ${WORDS[theme]}`);
      button.setAttribute("title", `Theme: ${WORDS[theme]}`);
    }
    // Charts are drawn with the colours of the moment; they listen to this and draw again.
    document.dispatchEvent(new CustomEvent("themechange", { detail: theme }));
  };

  apply();
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.addEventListener("click", () => {
        theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
        save(theme);
        apply();
      });
    }
  });
  // Another tab of ours changed it.
  addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    theme = event.newValue && THEMES.includes(event.newValue) ? event.newValue : "auto";
    apply();
  });
})();
