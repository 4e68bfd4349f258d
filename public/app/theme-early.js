// A classic script in the head, so that the first paint already has the chosen theme.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem('streamgate.theme');
  } catch {
    // Storage is switched off: the system's theme it is.
  }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();
