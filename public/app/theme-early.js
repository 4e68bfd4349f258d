// A classic script in the head, so that the first paint already has the chosen theme.
(() => {
  try {
    const theme = JSON.parse(localStorage.getItem('streamgate.theme'));
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is switched off: the system's theme it is.
  }
})();
