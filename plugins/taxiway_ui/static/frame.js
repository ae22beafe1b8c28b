// Airflow shows these pages in a sandboxed frame of its own origin. Two things do not come through by themselves:
// its colour mode, and links that lead out of the frame. Without this script the page still reads, in the system's colours.
"use strict";

// Airflow keeps the mode in localStorage; nothing there, or "system", is the system's choice.
function followColours() {
  const chosen = localStorage.getItem("theme");
  document.documentElement.dataset.theme = chosen === "dark" || chosen === "light" ? chosen : "system";
}
followColours();
window.addEventListener("storage", followColours);

// The sandbox lets no link of the frame open a window or replace the page around it, so the page around it follows the link.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-leaves]");
  if (!link || window.parent === window) return;
  event.preventDefault();
  const outside = window.parent.document.createElement("a");
  outside.href = link.href;
  outside.target = event.ctrlKey || event.metaKey ? "_blank" : link.target;
  outside.rel = "noopener";
  outside.click();
});
