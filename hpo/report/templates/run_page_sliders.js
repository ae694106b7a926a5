"use strict";
// Decodes codes in the page: sliders move the strongest dimensions of a code. Without this script a note is shown.
const data = JSON.parse(document.getElementById("decoder").textContent);
const canvas = document.getElementById("decoded");
const start = document.getElementById("start");
const inputs = [...document.querySelectorAll("#sliders input")];

// Base64 of 16-bit floating-point numbers as 32-bit ones.
function numbers(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const halves = new DataView(bytes.buffer);
  const values = new Float32Array(bytes.length / 2);
  for (let i = 0; i < values.length; i++) {
    const half = halves.getUint16(2 * i, true);
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    const size = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
    values[i] = half >> 15 ? -size : size;
  }
  return values;
}

const activations = { none: (x) => x, relu: (x) => Math.max(0, x), silu: (x) => x / (1 + Math.exp(-x)) };
for (const step of data.steps) {
  for (const layer of step.layers) {
    layer.weight = numbers(layer.weight);
    layer.bias = numbers(layer.bias);
  }
}
for (const entry of [...data.starts, ...data.dimensions]) entry.features = numbers(entry.features);

// A map: channels × side × side values.
function convolveTransposed(map, layer) {
  const [nIn, nOut, kernel] = layer.shape;
  const { stride, padding } = layer;
  const side = (map.side - 1) * stride - 2 * padding + kernel;
  const values = new Float32Array(nOut * side * side);
  for (let c = 0; c < nOut; c++) values.fill(layer.bias[c], c * side * side, (c + 1) * side * side);
  // Those of the map's rows and columns that weight i of a kernel's side adds to the result.
  const rows = Array.from({ length: kernel }, (_, i) => [
    Math.max(0, Math.ceil((padding - i) / stride)),
    Math.min(map.side - 1, Math.floor((side - 1 + padding - i) / stride)),
  ]);
  for (let k = 0; k < nIn; k++) {
    for (let c = 0; c < nOut; c++) {
      for (let i = 0; i < kernel; i++) {
        for (let j = 0; j < kernel; j++) {
          const weight = layer.weight[((k * nOut + c) * kernel + i) * kernel + j];
          for (let y = rows[i][0]; y <= rows[i][1]; y++) {
            const from = (k * map.side + y) * map.side;
            const to = (c * side + y * stride - padding + i) * side - padding + j;
            for (let x = rows[j][0]; x <= rows[j][1]; x++) values[to + x * stride] += weight * map.values[from + x];
          }
        }
      }
    }
  }
  const activate = activations[layer.activation];
  for (let i = 0; i < values.length; i++) values[i] = activate(values[i]);
  return { side, values };
}

function without(map, margin) {
  const side = map.side - margin;
  const first = Math.floor(margin / 2);
  const values = new Float32Array(data.colours * side * side);
  for (let i = 0; i < values.length; i++) {
    const [c, row, column] = [Math.floor(i / side / side), Math.floor(i / side) % side, i % side];
    values[i] = map.values[(c * map.side + row + first) * map.side + column + first];
  }
  return { side, values };
}

function decode(features) {
  let position = 0;
  const maps = data.shapes.map(([channels, side]) => {
    const end = position + channels * side * side;
    const map = { side, values: features.slice(position, end) };
    position = end;
    return map;
  });
  let image = null;
  for (const step of data.steps) {
    const result = step.layers.reduce(convolveTransposed, maps[step.source]);
    if (step.target < 0 && image === null) image = { side: result.side, values: new Float32Array(result.values.length) };
    const target = step.target < 0 ? image : maps[step.target];
    for (let i = 0; i < result.values.length; i++) target.values[i] += step.scale * result.values[i];
  }
  const shown = without(image, data.margin);
  for (let i = 0; i < shown.values.length; i++) {
    const value = shown.values[i] + data.offset + (data.pixels ? features[position + i] : 0);
    shown.values[i] = data.output === "logistic" ? 1 / (1 + Math.exp(-value)) : Math.min(1, Math.max(0, value));
  }
  return shown;
}

function draw() {
  const chosen = data.starts[start.value];
  const features = chosen.features.slice();
  inputs.forEach((input, k) => {
    const change = Number(input.value) - chosen.values[k];
    input.nextElementSibling.textContent = Number(input.value).toFixed(1).replace("-", "−");
    const column = data.dimensions[k].features;
    for (let i = 0; i < features.length; i++) features[i] += change * column[i];
  });
  const image = decode(features);
  canvas.width = canvas.height = image.side;
  const pixels = new ImageData(image.side, image.side);
  for (let i = 0; i < image.side * image.side; i++) {
    for (let c = 0; c < 3; c++) {
      const channel = Math.min(c, data.colours - 1);
      pixels.data[4 * i + c] = Math.round(255 * image.values[channel * image.side * image.side + i]);
    }
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function reset() {
  inputs.forEach((input, k) => {
    const value = data.starts[start.value].values[k];
    input.min = Math.min(-4, value);
    input.max = Math.max(4, value);
    input.value = value;
  });
  draw();
}

start.addEventListener("change", reset);
document.getElementById("reset").addEventListener("click", reset);
for (const input of inputs) input.addEventListener("input", draw);
reset();
document.getElementById("explorer").hidden = false;
document.getElementById("without-script").hidden = true;
