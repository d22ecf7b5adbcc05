// Files and texts as numbers. What a reader gives has `values`, and what else is known of them.
'use strict';

// An array of bytes, from wherever it is (`Place` in src/cli/page.rs).
let part; // What a script with a part of them has just set.
async function bytes(place) {
  if (place.address) {
    const { url, integrity } = place.address;
    return new Uint8Array(await (await fetch(url, { integrity, mode: 'cors', credentials: 'omit' })).arrayBuffer());
  }
  // A script's `load` event comes right behind it, before any other script.
  const load = (src) => new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.onload = () => {
      script.remove();
      resolve(ofBase64(part));
      part = undefined;
    };
    script.onerror = () => reject(new Error(`${src} cannot be loaded`));
    script.src = src;
    document.head.append(script);
  });
  const parts = await Promise.all(place.parts.map(load));
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function ofBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const array = new Uint8Array(binary.length);
  for (let i = 0; i < array.length; i++) array[i] = binary.charCodeAt(i);
  return array;
}

// The picture in a file, as the browser shows it but for colour profiles, which `abslrp explain` leaves aside too.
function picture(file) {
  const options = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' };
  return createImageBitmap(file, options).catch(() => {
    throw new Error(`${file.name ?? 'this'} is no picture that this browser can read`);
  });
}

// What each pixel of a line of `to` pixels is made of, scaled from `from`: those under a triangle, by their weights.
// It is the triangle filter of the crate `image`, with which `abslrp explain` scales; in single precision as there, so
// that halves are rounded the same way, and numbers are the same.
const single = Math.fround;
function triangles(from, to) {
  const ratio = single(from / to);
  const reach = Math.max(ratio, 1);
  const clamp = (n, low, high) => Math.min(Math.max(n, low), high);
  return Array.from({ length: to }, (_, pixel) => {
    const centre = single((pixel + 0.5) * ratio);
    const left = clamp(Math.floor(single(centre - reach)), 0, from - 1);
    const right = clamp(Math.ceil(single(centre + reach)), left + 1, from);
    const weights = new Float32Array(right - left);
    let sum = 0;
    for (let i = left; i < right; i++) {
      const distance = Math.abs(single(single(i - single(centre - 0.5)) / reach));
      weights[i - left] = Math.max(0, 1 - distance);
      sum = single(sum + weights[i - left]);
    }
    return { left, weights: weights.map((weight) => weight / sum) };
  });
}

// Red, green and blue of 0 to 255 for each pixel of a picture that is scaled to a size: columns first, then rows.
function scaled(bitmap, width, height) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  if (bitmap.width === width && bitmap.height === height) return data.filter((_, i) => i % 4 < 3);
  // Sums of what lies `step` apart, from `start` on, by weights.
  const weighed = (all, start, step, weights) => {
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum = single(sum + single(all[start + i * step] * weights[i]));
    return sum;
  };
  const lines = new Float32Array(height * bitmap.width * 3);
  triangles(bitmap.height, height).forEach(({ left, weights }, y) => {
    for (let x = 0; x < bitmap.width; x++) {
      for (let c = 0; c < 3; c++) {
        lines[(y * bitmap.width + x) * 3 + c] = weighed(data, (left * bitmap.width + x) * 4 + c, bitmap.width * 4, weights);
      }
    }
  });
  const pixels = new Uint8ClampedArray(height * width * 3);
  triangles(bitmap.width, width).forEach(({ left, weights }, x) => {
    for (let y = 0; y < height; y++) {
      for (let c = 0; c < 3; c++) {
        pixels[(y * width + x) * 3 + c] = Math.floor(weighed(lines, (y * bitmap.width + left) * 3 + c, 3, weights) + 0.5);
      }
    }
  });
  return pixels;
}

// A picture, cut or with bars, in the shape of an input.
function fitted(bitmap, { height, width, fit }) {
  if (fit === 'stretch' || !height || !width) return bitmap;
  const part = fit.crop;
  const rows = part ? Math.min(bitmap.height, (bitmap.width * height) / width) * part : Math.max(bitmap.height, (bitmap.width * height) / width);
  const size = [(rows * width) / height, rows].map((edge) => Math.max(1, Math.round(edge)));
  const canvas = new OffscreenCanvas(...size);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.fillStyle = 'rgb(114 114 114)';
  context.fillRect(0, 0, ...size);
  context.drawImage(bitmap, Math.trunc((size[0] - bitmap.width) / 2), Math.trunc((size[1] - bitmap.height) / 2));
  return canvas;
}

// A picture as an input is fed it (`Pixels` in src/cli/feed/image.rs).
function ofPicture(original, preparation) {
  const { axes, height, width, divisor, mean, std, bgr } = preparation;
  const bitmap = fitted(original, preparation);
  const [channels, rows, columns] = [mean.length, height ?? bitmap.height, width ?? bitmap.width];
  const pixels = scaled(bitmap, columns, rows);
  const shape = [1, 1, 1, 1];
  [channels, rows, columns].forEach((size, i) => { shape[axes[i]] = size; });
  const steps = strides(shape);
  const values = new Float64Array(channels * rows * columns);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const [r, g, b] = pixels.subarray((y * columns + x) * 3);
      for (let c = 0; c < channels; c++) {
        // Luminance by Rec. 709, where the model sees grey.
        const pixel = channels === 1 ? (2126 * r + 7152 * g + 722 * b) / 10000 : (bgr ? [b, g, r] : [r, g, b])[c];
        values[c * steps[axes[0]] + y * steps[axes[1]] + x * steps[axes[2]]] = (pixel / divisor - mean[c]) / std[c];
      }
    }
  }
  return { values, shape, bitmap };
}

// How far apart neighbours along each axis lie.
function strides(shape) {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
}

// The samples of a WAV file, the mean of its channels: PCM of 8 to 32 bits, or floats.
function ofWav(buffer) {
  const view = new DataView(buffer);
  const name = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (buffer.byteLength < 12 || name(0) !== 'RIFF' || name(8) !== 'WAVE') throw new Error('this is no WAV file');
  let format;
  for (let at = 12; at + 8 <= buffer.byteLength;) {
    const [chunk, size] = [name(at), view.getUint32(at + 4, true)];
    at += 8;
    if (chunk === 'fmt ') {
      const code = view.getUint16(at, true);
      format = {
        // An extensible header has the code further on.
        code: code === 0xfffe ? view.getUint16(at + 24, true) : code,
        channels: view.getUint16(at + 2, true), rate: view.getUint32(at + 4, true), bits: view.getUint16(at + 14, true),
      };
    } else if (chunk === 'data' && format) {
      const { code, channels, rate, bits } = format;
      const read = {
        '1/8': (i) => (view.getUint8(i) - 128) / 128,
        '1/16': (i) => view.getInt16(i, true) / 32768,
        '1/24': (i) => ((view.getInt8(i + 2) << 16) | view.getUint16(i, true)) / 8388608,
        '1/32': (i) => view.getInt32(i, true) / 2147483648,
        '3/32': (i) => view.getFloat32(i, true),
        '3/64': (i) => view.getFloat64(i, true),
      }[`${code}/${bits}`];
      if (!read || !channels) throw new Error(`WAV files of format ${code} with ${bits} bits are not read here; save it as PCM of 16 bits`);
      const step = (bits / 8) * channels;
      const values = new Float64Array(Math.floor(Math.min(size, buffer.byteLength - at) / step));
      for (let i = 0; i < values.length; i++) {
        for (let c = 0; c < channels; c++) values[i] += read(at + i * step + (c * bits) / 8) / channels;
      }
      return { values, note: `${values.length} samples at ${rate} Hz, as they are in the file` };
    }
    at += size + (size % 2);
  }
  throw new Error('this WAV file has no samples');
}

// The rows of a table of numbers, and the names in its first line if that has any. A column `label` is left out.
function ofCsv(text) {
  const rows = text.split(/\r?\n/).filter((line) => line.trim()).map((line) => line.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"(.*)"$/, '$1')));
  const names = rows.length && rows[0].some((cell) => cell === '' || Number.isNaN(Number(cell))) ? rows.shift() : undefined;
  const label = names?.indexOf('label') ?? -1;
  const kept = (row) => row.filter((_, column) => column !== label);
  const numbers = rows.map((row, line) => kept(row).map((cell) => {
    if (cell === '' || Number.isNaN(Number(cell))) throw new Error(`row ${line + 1} of the table has '${cell}', which is no number`);
    return Number(cell);
  }));
  if (!numbers.length) throw new Error('the table has no rows of numbers');
  return { rows: numbers, names: names && kept(names) };
}

// An array of NumPy.
function ofNpy(buffer) {
  const view = new DataView(buffer);
  const magic = new Uint8Array(buffer, 0, Math.min(6, buffer.byteLength));
  if (String.fromCharCode(...magic) !== '\x93NUMPY') throw new Error('this is no .npy file');
  const long = view.getUint8(6) > 1;
  const begin = long ? 12 : 10;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, begin, length));
  const [, type] = header.match(/'descr':\s*'([^']*)'/) ?? [];
  const kind = { '<f4': Float32Array, '<f8': Float64Array, '<i8': BigInt64Array, '<i4': Int32Array, '|u1': Uint8Array, '|b1': Uint8Array }[type];
  if (!kind || /'fortran_order':\s*True/.test(header)) throw new Error(`arrays of type ${type}, or in Fortran's order, are not read here`);
  const shape = (header.match(/'shape':\s*\(([^)]*)\)/)?.[1] ?? '').split(',').filter((size) => size.trim()).map(Number);
  const data = new kind(buffer.slice(begin + length));
  return { values: Float64Array.from(data, Number), shape };
}

// The same the other way round, in float32: what `abslrp explain` writes, too.
function toNpy(values, shape) {
  const sizes = shape.join(', ') + (shape.length === 1 ? ',' : '');
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`;
  const padded = `${header.padEnd(64 * Math.ceil((header.length + 11) / 64) - 11)}\n`;
  const size = String.fromCharCode(padded.length % 256, padded.length >> 8);
  const start = Uint8Array.from(`\x93NUMPY\x01\x00${size}${padded}`, (c) => c.charCodeAt(0));
  return new Blob([start, Float32Array.from(values)]);
}

// Numbers in a text, whatever is between them.
function ofText(text) {
  const words = text.split(/[\s,;[\]()]+/).filter(Boolean);
  const wrong = words.find((word) => Number.isNaN(Number(word)));
  if (wrong !== undefined) throw new Error(`'${wrong}' is no number`);
  return { values: words.map(Number) };
}

// The shape that so many values have as an input: a batch of one, and what is open is found by their number.
function shapeFor(count, { name, shape }) {
  const sizes = shape.map((size, axis) => size ?? (axis === 0 ? 1 : null));
  const known = sizes.reduce((product, size) => product * (size ?? 1), 1);
  // Of several open sizes, the last is the long one.
  const open = sizes.lastIndexOf(null);
  const found = sizes.map((size, axis) => size ?? (axis === open ? count / known : 1));
  const fits = found.every(Number.isInteger) && found.reduce((a, b) => a * b, 1) === count;
  if (!fits) throw new Error(`${name} takes ${shape.map((size) => size ?? '?').join(' × ')} numbers, and there are ${count}`);
  return found;
}
