// The run's network, computed in the browser: an image in, every layer's activations out.
//
// Plain JavaScript on typed arrays. The site's policy allows no WebAssembly, and a page opened from a folder
// may start no worker, so a pass is cut into slices: after each, the browser may draw a stroke.
"use strict";

const Network = (() => {
  const SLICE = 6;  // milliseconds; with what else a frame needs, well below its 16
  // Channels and places of an output that are computed at once: as many sums as a processor has registers for.
  const COLUMNS = 4, PLACES = 2;
  const LETTERS = 1 << 15;  // of base64, and numbers, that are decoded at once: a multiple of four

  // Reading what was exported (report/output/network.py)

  function* bytes(text) {
    const filler = text.length - text.replace(/=+$/, "").length;
    const found = new Uint8Array(text.length / 4 * 3 - filler);
    for (let start = 0, end = 0; start < text.length; start += LETTERS) {
      const raw = atob(text.slice(start, start + LETTERS));
      for (let i = 0; i < raw.length; i++) found[end++] = raw.charCodeAt(i);
      yield;
    }
    return found;
  }

  // IEEE 754's binary16, whose bits are moved to where binary32 has them: then the exponent lacks 112.
  function* widened(halves) {
    const bits = new Uint32Array(halves.length), found = new Float32Array(bits.buffer);
    for (let start = 0; start < halves.length; start += LETTERS) {
      const end = Math.min(start + LETTERS, halves.length);
      for (let i = start; i < end; i++) {
        bits[i] = (halves[i] & 0x8000) << 16 | (halves[i] & 0x7fff) << 13;
        found[i] *= 2 ** 112;
      }
      yield;
    }
    return found;
  }

  function* numbers({ kind, data }) {
    const { buffer } = yield* bytes(data);
    if (kind === "float16") return yield* widened(new Uint16Array(buffer));
    return kind === "int8" ? new Int8Array(buffer) : new Float32Array(buffer);
  }

  // The weights of COLUMNS channels at a time, one after the other as a convolution meets them. Missing
  // channels are zeros.
  function* inColumns(kernel, channels) {
    const reach = kernel.length / channels, blocks = Math.ceil(channels / COLUMNS);
    const found = new Float64Array(blocks * reach * COLUMNS);
    for (let place = 0; place < reach; place++) {
      for (let channel = 0; channel < channels; channel++) {
        const block = Math.floor(channel / COLUMNS);
        found[(block * reach + place) * COLUMNS + channel % COLUMNS] = kernel[place * channels + channel];
      }
      if (place % 64 === 63) yield;
    }
    return found;
  }

  // A kernel in bytes stays as it is: what it makes of an image is multiplied by the scale of each channel.
  function* reading(steps) {
    const found = [];
    for (const step of steps) {
      const read = { ...step };
      if (step.kernel) {
        read.kernel = yield* numbers(step.kernel);
        read.bias = yield* numbers(step.bias);
        read.scale = step.kernel.scale && (yield* numbers({ kind: "float32", data: step.kernel.scale }));
      }
      if (step.kind === "Conv2D") read.kernel = yield* inColumns(read.kernel, step.shape[2]);
      found.push(read);
      yield;
    }
    return found;
  }

  // Computing. Images are (height, width, channels), as in Keras, in one Float64Array: its sums are exact
  // enough, and engines multiply doubles faster than they convert floats.

  // The input with what a window sees beyond its edge where the padding is "same".
  function padded({ values, shape }, step, outside) {
    const [height, width, channels] = shape;
    const missing = [0, 1].map((axis) => step.same
      ? Math.max((step.shape[axis] - 1) * step.strides[axis] + step.size[axis] - shape[axis], 0) : 0);
    if (!missing[0] && !missing[1]) return { values, width };
    const [top, left] = missing.map((each) => each >> 1), wide = width + missing[1];
    const found = new Float64Array((height + missing[0]) * wide * channels).fill(outside);
    for (let y = 0; y < height; y++) {
      found.set(values.subarray(y * width * channels, (y + 1) * width * channels),
        ((y + top) * wide + left) * channels);
    }
    return { values: found, width: wide };
  }

  // One row of a convolution's output. A window's row is one run of numbers in the input, and so in the kernel.
  function convolveRow(input, line, channels, step, y, output) {
    const { kernel, size: [windowRows, windowColumns], strides: [down, across] } = step;
    const [, width, filters] = step.shape, run = windowColumns * channels;
    for (let filter = 0; filter < filters; filter += COLUMNS) {
      const start = filter * windowRows * run;
      for (let x = 0; x < width; x += PLACES) {
        const other = Math.min(x + 1, width - 1);  // at an odd width's end the same place twice
        const beside = (other - x) * across * channels;
        let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0, k = start;
        for (let row = 0; row < windowRows; row++) {
          let i = (y * down + row) * line + x * across * channels;
          for (const end = i + run; i < end; i++, k += COLUMNS) {
            const a = input[i], b = input[i + beside];
            const w0 = kernel[k], w1 = kernel[k + 1], w2 = kernel[k + 2], w3 = kernel[k + 3];
            a0 += a * w0; a1 += a * w1; a2 += a * w2; a3 += a * w3;
            b0 += b * w0; b1 += b * w1; b2 += b * w2; b3 += b * w3;
          }
        }
        const first = (y * width + x) * filters, second = (y * width + other) * filters;
        store(output, first, filter, filters, a0, a1, a2, a3);
        store(output, second, filter, filters, b0, b1, b2, b3);
      }
    }
  }

  function store(output, place, filter, filters, v0, v1, v2, v3) {
    output[place + filter] = v0;
    if (filter + 1 < filters) output[place + filter + 1] = v1;
    if (filter + 2 < filters) output[place + filter + 2] = v2;
    if (filter + 3 < filters) output[place + filter + 3] = v3;
  }

  function* convolution(step, input, output) {
    const channels = input.shape[2], { values, width } = padded(input, step, 0);
    for (let y = 0; y < step.shape[0]; y++) {
      convolveRow(values, width * channels, channels, step, y, output);
      yield;
    }
    affine(output, step.scale, step.bias, output);
  }

  function* dense(step, { values }, output) {
    const { kernel } = step, size = output.length;
    for (let start = 0; start < values.length; start += 512) {
      addProducts(values, kernel, size, output, start, Math.min(start + 512, values.length));
      yield;
    }
    affine(output, step.scale, step.bias, output);
  }

  function addProducts(values, kernel, size, output, start, end) {
    for (let i = start; i < end; i++) {
      const value = values[i], row = i * size;
      if (value) for (let o = 0; o < size; o++) output[o] += value * kernel[row + o];
    }
  }

  // values * factor + offset, with one of each a channel.
  function affine(values, factor, offset, output) {
    for (let i = 0, c = 0; i < output.length; i++, c = c + 1 === offset.length ? 0 : c + 1) {
      output[i] = (factor ? values[i] * factor[c] : values[i]) + offset[c];
    }
  }

  function* normalization({ kernel, bias }, { values }, output) { affine(values, kernel, bias, output); }

  function* pool(step, input, output) {
    const { values, width: wide } = padded(input, step, -Infinity);
    const [height, width, channels] = step.shape, [down, across] = step.strides;
    output.fill(-Infinity);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      for (let row = 0; row < step.size[0]; row++) for (let column = 0; column < step.size[1]; column++) {
        const from = ((y * down + row) * wide + x * across + column) * channels;
        const to = (y * width + x) * channels;
        for (let c = 0; c < channels; c++) {
          if (values[from + c] > output[to + c]) output[to + c] = values[from + c];
        }
      }
    }
  }

  function* passOn(step, { values }, output) { output.set(values); }

  const KINDS = { Conv2D: convolution, Dense: dense, BatchNormalization: normalization, MaxPooling2D: pool,
    Activation: passOn, Dropout: passOn, Flatten: passOn };

  function activate(values, activation) {
    if (activation === "relu") {
      for (let i = 0; i < values.length; i++) if (values[i] < 0) values[i] = 0;
    } else if (activation === "softmax") {
      const most = Math.max(...values), powers = values.map((value) => Math.exp(value - most));
      const sum = powers.reduce((a, b) => a + b);
      powers.forEach((power, i) => { values[i] = power / sum; });
    }
  }

  // Yields where the pass may be interrupted; returns each layer as { name, shape, values }.
  function* pass(steps, image) {
    let input = { shape: [28, 28, 1], values: Float64Array.from(image, (pixel) => pixel / 255) };
    const layers = [];
    for (const step of steps) {
      const values = new Float64Array(step.shape.reduce((a, b) => a * b));
      yield* KINDS[step.kind](step, input, values);
      activate(values, step.activation);
      input = { name: step.name, shape: step.shape, values };
      layers.push(input);
      yield;
    }
    return layers;
  }

  // Goes through a generator in slices; the browser's other work comes in between. Timers would wait for
  // milliseconds each time, messages do not.
  async function inSlices(work) {
    const channel = new MessageChannel();
    const others = () => new Promise((go) => { channel.port1.onmessage = go; channel.port2.postMessage(0); });
    try {
      for (let end = performance.now() + SLICE; ;) {
        const { done, value } = work.next();
        if (done) return value;
        if (performance.now() > end) {
          await others();
          end = performance.now() + SLICE;
        }
      }
    } finally {
      channel.port1.close();
    }
  }

  const read = (exported) => inSlices(reading(exported));
  // image: 28 x 28 values of 0 (paper) to 255 (ink).
  const layersOf = (steps, image) => inSlices(pass(steps, image));

  return { read, layersOf, inSlices };
})();
