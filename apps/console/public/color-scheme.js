// Runs before the first paint, so that a page in dark never flashes white.
try {
  const chosen = localStorage.getItem('kilotoken-color-scheme') ?? 'auto';
  const dark = chosen === 'dark' || (chosen === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
} catch {
  // Storage is forbidden here; the page starts light and changes when it is drawn.
}
