// Loaded before anything is painted, so that a dark page never flashes white.
{
  let wanted = null;
  try { wanted = localStorage.getItem("citebot.theme"); } catch { /* storage may be blocked: follow the system */ }
  if (wanted === "dark" || wanted === "light") document.documentElement.dataset.theme = wanted;
}
