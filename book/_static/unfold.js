// What is wider than the page scrolls by keyboard too: the theme looks for it when a page opens, not when a part of it unfolds.
document.addEventListener("toggle", (event) => {
  for (const one of event.target.querySelectorAll("pre, .output")) if (one.scrollWidth > one.clientWidth) one.tabIndex = 0;
}, true);
