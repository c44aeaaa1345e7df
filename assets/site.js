// What goes beyond the pages as they are, which are whole without it: the misclassified digits can be filtered,
// the filter is in the address, a link into something closed opens it, and a strip of digits marks the open one.
"use strict";

const form = document.querySelector("form.filters");
const ADDRESS = /^#true-(\d|any)-predicted-(\d|any)$/;

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
      shown === items.length ? `All ${shown} are shown` : `${shown} of ${items.length} are shown`;
  }

  function remember() {
    const pair = fields.true.value || fields.predicted.value
      ? `#true-${fields.true.value || "any"}-predicted-${fields.predicted.value || "any"}` : "#sorted";
    history.replaceState(null, "", pair);
    show();
  }

  function follow() {
    const pair = ADDRESS.exec(location.hash);
    const target = document.getElementById(location.hash.slice(1));
    if (pair || (target && target.hidden)) { // a link to a digit that is filtered away shows all
      const [wanted, predicted] = (pair || []).slice(1).map((text) => text.replace("any", ""));
      fields.true.value = wanted || "";
      fields.predicted.value = predicted || "";
      fields.least.value = "";
    }
    show();
    if (pair || target) (pair ? form : target).scrollIntoView();
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
