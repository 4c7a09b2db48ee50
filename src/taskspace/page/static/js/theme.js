/** Light or dark: as the system says, until somebody says otherwise; then as they said, next time too. */

const KEY = "taskspace-theme";
const SYSTEM = matchMedia("(prefers-color-scheme: dark)");

/** @returns {"light" | "dark"} */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return SYSTEM.matches ? "dark" : "light";
}

/** Let a button switch, and tell `changed` after every change, the system's too. */
export function themeSwitch(button, changed) {
  const show = () => {
    const dark = theme() === "dark";
    button.setAttribute("aria-pressed", String(dark));
    button.title = dark ? "Switch to light" : "Switch to dark";
    changed();
  };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = theme() === "dark" ? "light" : "dark";
    remember(theme());
    show();
  });
  SYSTEM.addEventListener("change", show);
  show();
}

function remember(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // storage is closed to this page: the choice holds until it is left
  }
}
