// What is wider than the page scrolls by keyboard too: the theme looks for it when a page opens, not when a part of it unfolds.
document.addEventListener("toggle", (event) => {
  for (const one of event.target.querySelectorAll("pre, .output")) if (one.scrollWidth > one.clientWidth) one.tabIndex = 0;
}, true);
// A page that is opened from disk may not read others, as search would for its excerpts.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
// A notebook is to be kept, not to be shown as text in another tab.
document.addEventListener("DOMContentLoaded", () => {
  for (const one of document.querySelectorAll('a[href$=".ipynb"][href*="_sources/"]')) one.download = "";
});
