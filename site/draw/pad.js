// The paper that one draws on: mouse, finger, pen and keyboard in, ink out. What it means is not known here.
"use strict";

const Pad = (() => {
  const { SIDE, POINTS } = Ink;
  const COLOUR = [27, 38, 89];  // of all digits of the site; the stylesheet inverts it in the dark
  const DIAGONALS = { Home: [-1, -1], PageUp: [1, -1], End: [-1, 1], PageDown: [1, 1] };
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  // element: the paper, with a canvas in it and a .nib, which is the keyboard's cursor. width: of the pen, in
  // points. changed(): called whenever the ink or the tool is another. said(text): what else only the eye sees.
  function on(element, width, changed, said) {
    const brush = element.querySelector("canvas").getContext("2d");
    const nib = element.querySelector(".nib");
    const shown = new ImageData(SIDE, SIDE), ink = Ink.blank();
    for (let i = 0; i < shown.data.length; i++) shown.data[i] = i % 4 < 3 ? COLOUR[i % 4] : 0;

    // All that was done, in order, so that any of it can be undone: strokes { points, erases }, images
    // { pixels, about } that replace what was there, and { clears: true }.
    let actions = [];
    let stroke = null;  // the one that is being drawn: the last of the actions
    let erases = false, pointer = null, place = [SIDE / 2, SIDE / 2];

    function show({ x, y, width: wide, height }) {
      for (let row = y; row < y + height; row++) {
        for (let i = row * SIDE + x, end = i + wide; i < end; i++) shown.data[4 * i + 3] = ink[i];
      }
      brush.putImageData(shown, 0, 0, x, y, wide, height);
    }

    const breadth = (erasing) => erasing ? 1.6 * width : width;

    const replaces = (action) => Boolean(action.pixels || action.clears);

    function current() {  // what is on the paper now: the last that replaced all, and what came after it
      return actions.slice(Math.max(actions.findLastIndex(replaces), 0));
    }

    const isBlank = () => !current().some((action) => action.pixels || action.points);

    function redraw() {
      ink.fill(0);
      for (const action of current()) {
        if (action.pixels) Ink.image(ink, action.pixels);
        (action.points || []).forEach((point, i, points) =>
          Ink.stroke(ink, points[Math.max(i - 1, 0)], point, breadth(action.erases), action.erases));
      }
      show({ x: 0, y: 0, width: SIDE, height: SIDE });
      changed();
    }

    function act(action) {
      lift();
      actions.push(action);
      redraw();
    }

    function put(point, erasing) {
      lift();
      stroke = { points: [], erases: erasing };
      actions.push(stroke);
      draw(point);
    }

    function draw(point) {
      const last = stroke.points.at(-1) || point;
      stroke.points.push(point);
      show(Ink.stroke(ink, last, point, breadth(stroke.erases), stroke.erases));
      changed();
    }

    function lift() {
      stroke = null;
      pointer = null;
      nib.classList.remove("down");
    }

    function undo() {
      lift();
      actions.pop();
      redraw();
    }

    function choose(eraser) {
      erases = eraser;
      lift();
      changed();
    }

    // Pointers. One draws at a time: a second finger, or the hand beside a pen, does not.

    function pointOf(event) {
      const { left, top, width: wide, height } = element.getBoundingClientRect();
      return [(event.clientX - left) / wide * SIDE, (event.clientY - top) / height * SIDE];
    }

    element.addEventListener("pointerdown", (event) => {
      const turned = Boolean(event.buttons & 32);  // a pen's other end
      if (pointer !== null || !event.isPrimary || (event.button && !turned)) return;
      nib.hidden = true;
      put(pointOf(event), erases || turned);
      pointer = event.pointerId;
      element.setPointerCapture(pointer);
    });
    element.addEventListener("pointermove", (event) => {
      if (event.pointerId !== pointer) return;
      const between = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      for (const each of between.length ? between : [event]) draw(pointOf(each));
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      element.addEventListener(end, (event) => { if (event.pointerId === pointer) lift(); });
    }

    // Keyboard: a nib that the arrows move. Two that are held move it diagonally.

    const held = new Set();

    function showNib() {
      nib.hidden = false;
      nib.style.left = `${100 * place[0] / SIDE}%`;
      nib.style.top = `${100 * place[1] / SIDE}%`;
      nib.style.width = `${100 * breadth(erases) / SIDE}%`;
    }

    function move(steps) {
      const pen = nib.classList.contains("down");
      place = place.map((value, axis) => Math.min(Math.max(
        value + POINTS * steps.reduce((sum, step) => sum + step[axis], 0), POINTS / 2), SIDE - POINTS / 2));
      if (pen) draw(place);
      showNib();
    }

    function penUpOrDown() {
      if (nib.classList.contains("down")) {
        lift();
        said("Pen up");
      } else {
        put(place, erases);
        nib.classList.add("down");
        said(erases ? "Eraser down" : "Pen down");
      }
      showNib();
    }

    function press(event) {
      const { key } = event, undoes = key.toLowerCase() === "u" || key === "Backspace";
      if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "z") undo();
      else if (event.ctrlKey || event.metaKey || event.altKey) return false;
      else if (ARROWS[key]) { held.add(key); move([...held].map((each) => ARROWS[each])); }
      else if (DIAGONALS[key]) move([DIAGONALS[key]]);
      else if (key === " " || key === "Enter") { if (!event.repeat) penUpOrDown(); }
      else if (key.toLowerCase() === "e") { choose(!erases); said(erases ? "Eraser" : "Pen"); showNib(); }
      else if (undoes) { if (actions.length) undo(); }
      else if (key === "Delete") { if (!isBlank()) act({ clears: true }); }
      else return false;
      return true;
    }

    element.addEventListener("keydown", (event) => { if (press(event)) event.preventDefault(); });
    element.addEventListener("keyup", (event) => held.delete(event.key));
    element.addEventListener("focus", () => { if (element.matches(":focus-visible")) showNib(); });
    element.addEventListener("blur", () => {
      held.clear();
      lift();
      nib.hidden = true;
    });

    return {
      ink, undo, choose,
      clear: () => act({ clears: true }),
      put: (pixels, about) => act({ pixels, about }),
      get erases() { return erases; },
      get canUndo() { return actions.length > 0; },
      get isBlank() { return isBlank(); },
      // The image that was put there last, if there is one, and whether anything was drawn on it since.
      get image() { return current().find((action) => action.pixels) || null; },
      get isDrawnOn() { return current().some((action) => action.points); },
    };
  }

  return { on };
})();
