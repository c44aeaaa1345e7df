// What goes beyond the pages as they are, which are whole without it: the misclassified digits can be filtered,
// the filter is in the address, a link into something closed opens it, and a strip of digits marks the open one.
"use strict";

function percent(share, places) { // for the scripts after this one; as report/text/formats.py: only 1 itself is 100%
  const text = (100 * share).toFixed(places);
  return share < 1 && text.startsWith("100") ? `> ${(100 - 10 ** -places).toFixed(places)}%` : `${text}%`;
}

const form = document.querySelector("form.filters");
const ADDRESS = /^#(?!$)(?:true-(\d|any)-predicted-(\d|any)(?=$|-))?-?(?:confidence-(\d+))?$/;

if (form) {
  const items = [...document.querySelectorAll(".misclassified > li, .smalls > li")];
  const fields = form.elements;

  function show() {
    const wanted = (item) =>
      (!fields.true.value || item.dataset.true === fields.true.value) &&
      (!fields.predicted.value || item.dataset.predicted === fields.predicted.value) &&
      Number(item.dataset.confidence) >= Number(fields.least.value);
    items.forEach((item) => { item.hidden = !wanted(item); });
    const shown = items.filter((item) => !item.hidden).length;
    form.querySelector("output").value =
      shown === items.length ? `All ${shown} are shown` : `${shown || "None"} of ${items.length} are shown`;
    document.querySelector(".empty").hidden = shown > 0;
  }

  function remember() {
    const [label, predicted, least] = [fields.true.value, fields.predicted.value, fields.least.value];
    const parts = [
      ...(label || predicted ? [`true-${label || "any"}-predicted-${predicted || "any"}`] : []),
      ...(least ? [`confidence-${least}`] : [])];
    history.replaceState(null, "", `#${parts.join("-") || "sorted"}`);
    show();
  }

  function take(label, predicted, least) {
    fields.true.value = label;
    fields.predicted.value = predicted;
    if (![...fields.least.options].some((option) => option.value === least)) { // as from the dial of the results
      fields.least.add(new Option(`${least}%`, least));
    }
    fields.least.value = least;
  }

  function follow() {
    const filter = ADDRESS.exec(location.hash);
    const target = document.getElementById(location.hash.slice(1));
    if (filter) take(...filter.slice(1).map((text) => (text || "").replace("any", "")));
    else if (target && target.hidden) take("", "", ""); // a link to a digit that is filtered away shows all
    show();
    if (filter || target) (filter ? form : target).scrollIntoView(); // its digits are right below the form
  }

  form.classList.add("ready");
  form.addEventListener("change", remember);
  form.addEventListener("reset", () => setTimeout(remember));
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", follow);
  window.addEventListener("load", () => requestAnimationFrame(follow)); // after the browser's scroll
  follow();
}

function open() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const closed = target && target.closest("details:not([open])");
  if (closed) {
    closed.open = true;
    target.scrollIntoView();
  }
}
window.addEventListener("hashchange", open);
open();

for (const watched of document.querySelectorAll(".watched")) {
  const link = document.querySelector(`.choice [href="#${watched.querySelector("[id]").id}"]`);
  watched.addEventListener("toggle", () => link.setAttribute("aria-current", watched.open));
}
