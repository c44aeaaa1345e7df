// Ink on paper, and the image that a network is given of it. No part of the page is known here.
//
// The paper is a square of SIDE x SIDE points, POINTS for each pixel of the image; a point holds 0 for paper to
// 255 for ink.
"use strict";

const Ink = (() => {
  const PIXELS = 28, POINTS = 20, SIDE = PIXELS * POINTS, BOX = 20;

  const blank = () => new Uint8Array(SIDE * SIDE);

  // The part of the paper from [x, y] to [x, y], in whole points.
  function area(left, top, right, bottom) {
    const within = (value) => Math.min(Math.max(value, 0), SIDE);
    const x = within(Math.floor(left)), y = within(Math.floor(top));
    return { x, y, width: within(Math.ceil(right)) - x, height: within(Math.ceil(bottom)) - y };
  }

  // A straight stroke with round ends and soft edges: a point is covered by how far it lies within them.
  // Returns the area that may have changed.
  function stroke(ink, [x0, y0], [x1, y1], width, erases) {
    const reach = width / 2 + 0.5, dx = x1 - x0, dy = y1 - y0, square = dx * dx + dy * dy;
    const changed = area(Math.min(x0, x1) - reach, Math.min(y0, y1) - reach,
      Math.max(x0, x1) + reach, Math.max(y0, y1) + reach);
    for (let y = changed.y; y < changed.y + changed.height; y++) {
      for (let x = changed.x; x < changed.x + changed.width; x++) {
        const px = x + 0.5 - x0, py = y + 0.5 - y0;
        const along = square ? Math.min(Math.max((px * dx + py * dy) / square, 0), 1) : 0;
        const ox = px - along * dx, oy = py - along * dy, distance = Math.sqrt(ox * ox + oy * oy);
        const cover = Math.round(Math.min(Math.max(reach - distance, 0), 1) * 255), i = y * SIDE + x;
        ink[i] = erases ? Math.min(ink[i], 255 - cover) : Math.max(ink[i], cover);
      }
    }
    return changed;
  }

  // An image of 28 x 28 pixels, as if it had been drawn in squares.
  function image(ink, pixels) {
    for (let y = 0; y < SIDE; y++) {
      const row = Math.floor(y / POINTS) * PIXELS;
      for (let x = 0; x < SIDE; x++) ink[y * SIDE + x] = pixels[row + Math.floor(x / POINTS)];
    }
  }

  // The smallest part of the paper that holds all ink, or null where there is none.
  function bounds(ink) {
    let left = SIDE, right = -1, top = -1, bottom = -1;
    for (let y = 0; y < SIDE; y++) {
      const row = y * SIDE;
      let first = 0, last = SIDE - 1;
      while (first < SIDE && !ink[row + first]) first++;
      if (first === SIDE) continue;
      while (!ink[row + last]) last--;
      if (top < 0) top = y;
      bottom = y;
      left = Math.min(left, first);
      right = Math.max(right, last);
    }
    return top < 0 ? null : { x: left, y: top, width: right + 1 - left, height: bottom + 1 - top };
  }

  // Where `length` points come to lie among pixels, each point `scale` of a pixel long: calls
  // add(point, pixel, share) for each pixel that a point covers a part of.
  function shared(length, scale, add) {
    for (let point = 0; point < length; point++) {
      const start = point * scale, end = Math.min(start + scale, length * scale);
      for (let pixel = Math.floor(start); pixel < end - 1e-9; pixel++) {
        add(point, pixel, Math.min(end, pixel + 1) - Math.max(start, pixel));
      }
    }
  }

  // The mean ink under each pixel of a grid of BOX x BOX, of which a pixel is 1 / `scale` points long.
  function scaled(ink, part, scale) {
    const rows = new Float64Array(BOX * part.width), found = new Float64Array(BOX * BOX);
    shared(part.height, scale, (point, pixel, share) => {
      const from = (part.y + point) * SIDE + part.x, to = pixel * part.width;
      for (let x = 0; x < part.width; x++) rows[to + x] += share * ink[from + x];
    });
    shared(part.width, scale, (point, pixel, share) => {
      for (let y = 0; y < BOX; y++) found[y * BOX + pixel] += share * rows[y * part.width + point];
    });
    return found;
  }

  // What the network is given, uint8 (28 x 28), or null of blank paper. As the digits of MNIST were prepared
  // (LeCun, Cortes and Burges): scaled to a box of 20 x 20 pixels with its aspect kept, then moved by whole
  // pixels until its centre of mass is in the middle, which is in pixel 14 of each axis, counted from 0.
  function prepared(ink) {
    const part = bounds(ink);
    if (!part) return null;
    const scale = BOX / Math.max(part.width, part.height), digit = scaled(ink, part, scale);
    let mass = 0, right = 0, down = 0;
    digit.forEach((value, i) => {
      mass += value;
      right += value * (i % BOX);
      down += value * Math.floor(i / BOX);
    });
    const shift = (moment, length) => Math.min(Math.max(PIXELS / 2 - Math.round(moment / mass), 0),
      PIXELS - Math.ceil(length * scale - 1e-9));  // never over the edge
    const left = shift(right, part.width), top = shift(down, part.height);
    const found = new Uint8Array(PIXELS * PIXELS);
    digit.forEach((value, i) => {
      if (value) found[(top + Math.floor(i / BOX)) * PIXELS + left + i % BOX] = Math.round(value);
    });
    return found;
  }

  return { PIXELS, POINTS, SIDE, blank, stroke, image, prepared };
})();
