"use strict";
// The newest spans first in sight, and what a span says also for whoever comes by keyboard. Everything works without.
(() => {
  for (const each of document.querySelectorAll(".chart-scroll")) each.scrollLeft = each.scrollWidth;

  const box = document.getElementById("told");
  document.addEventListener("focusin", (event) => {
    const link = event.target.closest(".plot [data-told]");
    if (!link || !link.matches(":focus-visible")) { box.hidden = true; return; }
    box.textContent = link.dataset.told;
    box.hidden = false;
    const place = link.getBoundingClientRect();
    box.style.left = `${Math.max(8, Math.min(place.right + 8, window.innerWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${Math.max(8, Math.min(place.top + 24, window.innerHeight - box.offsetHeight - 8))}px`;
  });

  // Along a chart with the arrow keys: many spans, one stop for the tabulator.
  for (const plot of document.querySelectorAll(".plot")) {
    const links = [...plot.querySelectorAll("a")];
    links.sort((one, other) => one.getBoundingClientRect().left - other.getBoundingClientRect().left);
    const stop = (chosen) => links.forEach((link) => link.setAttribute("tabindex", link === chosen ? "0" : "-1"));
    stop(plot.querySelector(".column:last-of-type") || links[links.length - 1]);
    plot.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -links.length, End: links.length };
      const place = links.indexOf(document.activeElement);
      if (!(event.key in steps) || place < 0) return;
      event.preventDefault();
      const next = links[Math.max(0, Math.min(links.length - 1, place + steps[event.key]))];
      stop(next);
      next.focus();
    });
  }
})();
