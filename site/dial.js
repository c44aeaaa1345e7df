// The dial of the results: above how much confidence the network answers. What it passes on leaves the confusion
// matrix, and is pale in the embedding; the dial is in the address.
"use strict";

{
  const dial = document.querySelector(".dial");
  const input = dial.elements.sure;
  const numbers = JSON.parse(document.getElementById("counts").textContent);
  const counts = []; // of digits by their true label, predicted label and confidence in percent, rounded down
  for (let at = 0; at < numbers.length; at += 4) counts.push(numbers.slice(at, at + 4));
  const cells = [...document.querySelectorAll(".matrix tbody tr")].map((line) => [...line.cells].slice(1));
  const links = cells.map((line) => line.map((cell) => (cell.querySelector("a") || {}).href));
  const total = counts.reduce((sum, [, , , count]) => sum + count, 0);
  const number = (count) => count.toLocaleString("en-US");

  function tableAt(least) {
    const table = cells.map((line) => line.map(() => 0));
    counts.forEach(([label, predicted, sure, count]) => { if (sure >= least) table[label][predicted] += count; });
    return table;
  }

  const most = Math.max(...tableAt(0).flatMap((line, label) => line.filter((_, predicted) => predicted !== label)));

  function show() {
    const least = Number(input.value);
    const table = tableAt(least);
    const answered = table.flat().reduce((sum, count) => sum + count, 0);
    const right = table.reduce((sum, line, label) => sum + line[label], 0);
    table.forEach((line, label) => line.forEach((count, predicted) => {
      const cell = cells[label][predicted];
      const link = cell.querySelector("a");
      const small = cell.querySelector("small");
      const all = line.reduce((sum, each) => sum + each, 0);
      if (small) {
        small.previousSibling.textContent = number(count);
        small.textContent = all ? percent(count / all, 1) : "–";
      }
      if (!link) return;
      cell.className = count ? `shade-${Math.ceil(5 * count / most)}` : "none";
      link.href = `${links[label][predicted]}${least > input.min ? `-confidence-${least}` : ""}`;
      if (!count) link.removeAttribute("href"); // there is nothing to be led to
    }));
    document.querySelectorAll(".embedding [data-sure]").forEach((group) => {
      group.classList.toggle("pale", Number(group.dataset.sure) < least);
    });
    const bold = document.createElement("b");
    bold.textContent = answered ? percent(right / answered, 2) : "none";
    dial.querySelector("output").replaceChildren(...answered === total
      ? [`It answers all ${number(total)} digits, `, bold, " of them right."]
      : [`At least ${least}% sure: ${number(answered)} answered (${percent(answered / total, 2)}), `, bold,
        ` right; ${number(total - answered)} passed on.`]);
    input.setAttribute("aria-valuetext", `${least}%`);
  }

  function follow() {
    const wanted = /^#confidence-(\d+)$/.exec(location.hash);
    if (wanted) input.value = wanted[1];
    show();
  }

  dial.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", show);
  input.addEventListener("change", () => history.replaceState(null, "", `#confidence-${input.value}`));
  window.addEventListener("hashchange", follow);
  dial.classList.add("ready");
  follow();
}
