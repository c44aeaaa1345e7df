// The page on which one draws: what is on the paper goes through the network, and all that it says is shown.
"use strict";

(() => {
  const desk = document.querySelector(".desk[data-weights]");
  if (!desk) return;
  const find = (selector) => desk.querySelector(selector);
  const { PIXELS, POINTS } = Ink;
  const PEN = Number(desk.dataset.pen) * POINTS;
  const INK = [27, 38, 89], CHANNELS = 32, COLUMNS = 8, GAP = 2, SHADES = 255;  // as in report/pages and report/figures
  const QUIET = 1000;  // milliseconds without a change, after which a screen reader is told the answer

  const spoken = find(".spoken"), state = find(".state"), subject = find(".subject");
  const opening = subject.textContent;
  const tools = [...desk.querySelectorAll("[data-tool]")];
  const undo = find("[data-do=undo]"), clear = find("[data-do=clear]");
  const picks = [...document.querySelectorAll(".picks button")];
  const figures = new Map([...document.querySelectorAll("[data-layer]")]
    .map((figure) => [figure.dataset.layer, figure]));

  let steps = null, drawn = null;  // the network, and what came with it; null until they are there
  let wanted = null, isBusy = false, layers = null, quiet = 0;

  const paper = find(".pad"), pad = Pad.on(paper, PEN, () => requestUpdate(), say);

  // From the paper to the network

  let isRequested = false;
  function requestUpdate() {  // once a frame is enough
    if (!isRequested) requestAnimationFrame(update);
    isRequested = true;
    desk.classList.add("reading");  // until what is shown is the answer to what is drawn
  }

  function update() {
    isRequested = false;
    const { image, isBlank, isDrawnOn } = pad;
    if (isBlank && !paper.classList.contains("blank")) say("The paper is blank");
    paper.classList.toggle("blank", isBlank);
    tools.forEach((tool) => tool.setAttribute("aria-pressed", (tool.dataset.tool === "eraser") === pad.erases));
    undo.disabled = !pad.canUndo;
    clear.disabled = isBlank;
    // On blank paper the worked example stands, in pictures until something else was read. An image of the
    // data is given as it is until it is changed.
    const pixels = image && !isDrawnOn ? image.pixels : Ink.prepared(pad.ink);
    const about = pixels ? image ? `${image.about}${isDrawnOn ? ", changed" : ""}` : "Your digit" : opening;
    wanted = pixels || layers ? { pixels: pixels || drawn.example, about, isExample: !pixels } : null;
    answer();
  }

  async function answer() {
    if (isBusy || !steps) return;
    isBusy = true;
    while (wanted) {  // what is drawn meanwhile comes next, and only the newest of it
      const asked = wanted;
      wanted = null;
      clearTimeout(quiet);
      const started = performance.now();
      layers = await Network.layersOf(steps, asked.pixels);
      const took = performance.now() - started;
      await Network.inSlices(show(asked, took));
      if (!asked.isExample) quiet = setTimeout(say, QUIET, sentence());
    }
    isBusy = false;
    if (!isRequested) desk.classList.remove("reading");
  }

  // What it says

  const probabilities = () => [...layers.at(-1).values];

  function sentence() {
    const [first, second] = probabilities().map((probability, label) => ({ probability, label }))
      .sort((a, b) => b.probability - a.probability);
    const named = ({ label, probability }) => `${label === 8 ? "an" : "a"} ${label}, ${percent(probability, 1)}`;
    return `It reads ${named(first)} sure${second.probability < 0.005 ? "" : `, or ${named(second)}`}`;
  }

  function say(text) { spoken.textContent = text; }

  function* show({ pixels, about }, took) {
    subject.textContent = about;
    paint(find(".seen"), PIXELS, PIXELS, (data) => {
      pixels.forEach((value, i) => data.set([...INK, value], 4 * i));
    });
    const odds = probabilities(), best = odds.indexOf(Math.max(...odds));
    find(".verdict strong").textContent = best;
    find(".verdict span").textContent = `${percent(odds[best], 1)} sure`;
    desk.querySelectorAll(".odds li").forEach((item, label) => {
      item.classList.toggle("best", label === best);
      item.querySelector("rect").setAttribute("width", (100 * odds[label]).toFixed(2));
      item.querySelector("span").textContent = percent(odds[label], 1);
    });
    state.textContent = `Read in ${Math.max(Math.round(took), 1)} ms, on this machine.`;
    yield;
    for (const layer of layers) if (figures.has(layer.name)) yield showLayer(figures.get(layer.name), layer);
  }

  // The activations, in the same grids as on their own page

  function showLayer(figure, { shape, values }) {
    const count = shape.at(-1), isMap = shape.length === 3;
    const lows = new Float32Array(count).fill(Infinity), highs = new Float32Array(count).fill(-Infinity);
    let low = Infinity, high = -Infinity;
    for (let i = 0; i < values.length; i++) {
      const value = values[i], channel = i % count;
      if (value < lows[channel]) lows[channel] = value;
      if (value > highs[channel]) highs[channel] = value;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const flat = lows.filter((value, channel) => isMap
      ? highs[channel] - value <= (high - low) / SHADES : value === 0).length;
    figure.querySelector(".range").textContent =
      `From ${low.toFixed(2)} (dark) to ${high.toFixed(2)} (bright); ` +
      `${flat ? flat.toLocaleString("en") : "none"} of ${count.toLocaleString("en")} ${isMap ? "flat" : "zero"}.`;
    const shade = (value) => Math.round((value - low) / (high - low || 1) * 254) * 3;
    const [whole, rest] = figure.querySelectorAll(".map");
    if (shape.length < 3) {
      grid(whole, strip(values), 0, 1, 1, shade);
    } else {
      grid(whole, { shape, values }, 0, Math.min(CHANNELS, count), COLUMNS, shade);
      if (rest && rest.parentElement.open) grid(rest, { shape, values }, CHANNELS, count, COLUMNS, shade);
    }
  }

  function strip(values) {  // folded into a band about eight times as wide as high
    const columns = Math.min(values.length, 2 ** Math.ceil(Math.log2(Math.sqrt(values.length * 8))));
    const rows = Math.ceil(values.length / columns), folded = new Float64Array(rows * columns);
    folded.set(values);
    return { shape: [rows, columns, 1], values: folded };
  }

  function grid(map, { shape: [height, width, count], values }, first, end, columns, shade) {
    const across = columns * (width + GAP) - GAP, rows = Math.ceil((end - first) / columns);
    paint(map, across, rows * (height + GAP) - GAP, (data) => {
      for (let channel = first; channel < end; channel++) {
        const top = Math.floor((channel - first) / columns) * (height + GAP);
        const left = (channel - first) % columns * (width + GAP);
        for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
          const colour = shade(values[(y * width + x) * count + channel]);
          const to = ((top + y) * across + left + x) * 4;
          data[to] = drawn.palette[colour];
          data[to + 1] = drawn.palette[colour + 1];
          data[to + 2] = drawn.palette[colour + 2];
          data[to + 3] = 255;
        }
      }
    });
  }

  function paint(place, width, height, fill) {
    const canvas = place.querySelector("canvas"), picture = new ImageData(width, height);
    fill(picture.data);
    canvas.getContext("2d").putImageData(picture, 0, 0);
    canvas.hidden = false;
    place.querySelector("img").hidden = true;
  }

  // The tools

  tools.forEach((tool) => tool.addEventListener("click", () => pad.choose(tool.dataset.tool === "eraser")));
  undo.addEventListener("click", () => pad.undo());
  clear.addEventListener("click", () => pad.clear());
  picks.forEach((pick, number) => pick.addEventListener("click", () => {
    pad.put(drawn.picks[number], `Row ${pick.dataset.row} of the data, labelled ${pick.dataset.label}`);
    find(".board").scrollIntoView({ block: "nearest" });
  }));
  document.getElementById("live-layers").addEventListener("toggle", (event) => {
    const figure = event.target.closest("[data-layer]");
    const shown = layers && layers.find((layer) => layer.name === figure.dataset.layer);
    if (event.target.open && shown) showLayer(figure, shown);
  }, true);

  // The network comes last: by then the page can be read and drawn on.

  function load() {
    const script = document.createElement("script");
    script.src = desk.dataset.weights;
    script.onload = async () => {
      const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const { palette, example, picks: images } = DRAWN;
      drawn = { palette: bytes(palette), example: bytes(example), picks: images.map(bytes) };
      picks.forEach((pick) => { pick.disabled = false; });
      steps = await Network.read(DRAWN.steps);
      desk.classList.add("answers");
      state.textContent = "The network is here and waits.";
      requestUpdate();
    };
    script.onerror = () => {
      state.textContent = `The network did not come: ${desk.dataset.weights} is missing.`;
    };
    document.head.append(script);
  }

  document.querySelectorAll(".live").forEach((part) => part.classList.add("ready"));
  document.querySelector(".unscripted").hidden = true;
  update();
  if (document.readyState === "complete") load();
  else window.addEventListener("load", () => load());
})();
