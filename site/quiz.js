// The quiz: one digit after the other, answered by key or button, then the score. The list of the page, which
// is all that there is without this script, holds the questions and the answers.
"use strict";

{
  const quiz = document.querySelector(".quiz");
  const find = (selector) => quiz.querySelector(selector);
  const items = [...document.querySelectorAll("ol.round > li")];
  const buttons = [...quiz.querySelectorAll(".keypad button")];
  const [next, told, score] = [find(".next"), find(".told"), find(".score")];
  let given = [];
  let open = false; // whether the digit that is shown still waits for its answer

  const isRight = (item, label) => item.dataset.true === String(label);
  const count = (wanted) => items.filter(wanted).length;

  function ask() {
    const copy = items[given.length].querySelector(".paper").cloneNode(true);
    copy.firstElementChild.loading = "eager";
    find(".asked").replaceChildren(copy);
    find(".progress").textContent = `Digit ${given.length + 1} of ${items.length}`;
    told.textContent = "";
    next.hidden = true;
    buttons.forEach((button) => { button.disabled = false; button.className = ""; });
    open = true;
  }

  function answer(label) {
    const item = items[given.length];
    given.push(label);
    open = false;
    buttons.forEach((button) => {
      button.disabled = true;
      button.className = isRight(item, button.value) ? "true" : button.value === label ? "wrong" : "";
    });
    const verdict = isRight(item, label) ? "Right." : `Not ${label === "8" ? "an" : "a"} ${label}.`;
    told.textContent = `${verdict} ${item.querySelector(".truth").textContent}`;
    next.textContent = given.length < items.length ? "Next digit" : "See the score";
    next.hidden = false;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function finish() {
    const mine = count((item, place) => isRight(item, given[place]));
    const network = count((item) => isRight(item, item.dataset.predicted));
    const beaten = count((item, place) => isRight(item, given[place]) && !isRight(item, item.dataset.predicted));
    find(".score strong").textContent = `${mine} : ${network}`;
    find(".score span").textContent =
      `You read ${mine} of ${items.length} right, the network ${network}. ` +
      (mine > network ? "You beat it." : mine === network ? "A draw." : "It beat you.");
    find(".score .detail").textContent =
      `Of the ${items.length - network} that it misclassified you read ${beaten} right, ` +
      `of the ${network} that it read right ${mine - beaten}.`;
    items.forEach((item, place) => {
      const mark = document.createElement("p");
      mark.className = "yours";
      mark.textContent = `You: ${given[place]}, ${isRight(item, given[place]) ? "right" : "wrong"}`;
      item.querySelector("details").before(mark);
      item.querySelector("details").open = true;
    });
    show(true);
    score.focus();
  }

  function show(finished) {
    find(".asking").hidden = find(".asked").hidden = finished;
    score.hidden = !finished;
    document.body.classList.toggle("played", finished);
  }

  function start() {
    given = [];
    document.querySelectorAll(".yours").forEach((mark) => mark.remove());
    items.forEach((item) => { item.querySelector("details").open = false; });
    show(false);
    ask();
  }

  buttons.forEach((button) => button.addEventListener("click", () => answer(button.value)));
  next.addEventListener("click", () => {
    if (given.length === items.length) return finish();
    ask();
    find(".keypad").focus({ preventScroll: true }); // and no button: a second Enter would press it
  });
  find(".again").addEventListener("click", () => { start(); find(".keypad").focus(); });
  document.addEventListener("keydown", (event) => {
    if (!open || !/^\d$/.test(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    answer(event.key);
  });
  quiz.classList.add("ready");
  start();
}
