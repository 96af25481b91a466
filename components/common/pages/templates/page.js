"use strict";
// What a bin or a point of a chart says, beside the pointer. Everything works without: the numbers are tables too.
(() => {
  const box = document.getElementById("told");
  const hide = () => { box.hidden = true; };
  document.addEventListener("pointermove", (event) => {
    const mark = event.target instanceof Element ? event.target.closest("[data-told]") : null;
    if (!mark) { hide(); return; }
    box.textContent = mark.dataset.told;
    box.hidden = false;
    const left = Math.min(event.clientX + 14, window.innerWidth - box.offsetWidth - 8);
    const top = event.clientY + 18 + box.offsetHeight > window.innerHeight ? event.clientY - box.offsetHeight - 12 : event.clientY + 18;
    box.style.left = `${Math.max(8, left)}px`;
    box.style.top = `${top}px`;
  });
  document.addEventListener("scroll", hide, { passive: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
})();
