// Before anything is drawn: the theme that was chosen last time. A plain script, since modules run later.
(() => {
  try {
    const theme = localStorage.getItem("taskspace-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // storage is closed to this page: follow the system
  }
})();
