// Maps to look at: of pictures, of tokens, of series, of tables. A view is an element, made anew for each map.
'use strict';

// The colours for and against, at full strength.
const COLOURS = {
  'red for, blue against': [[178, 24, 43], [33, 102, 172]],
  'orange for, purple against': [[179, 88, 6], [84, 39, 136]],
  'green for, magenta against': [[0, 104, 55], [158, 1, 119]],
};

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && !name.startsWith('aria')) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// A number as it is read: six digits at most.
function shown(number) {
  return Math.abs(number) >= 1e-3 && Math.abs(number) < 1e6 || number === 0 ? String(Number(number.toPrecision(6))) : number.toExponential(3);
}

// The |R| that has full colour: that which this percentage of values is at most, by the nearest rank. As `heat::percentile`.
function fullColour(values, percent) {
  const sorted = Float64Array.from(values, Math.abs).sort();
  const value = sorted[Math.max(Math.ceil((percent / 100) * sorted.length) - 1, 0)] ?? 0;
  // A map that is nonzero in few places is drawn by its largest.
  return value > 0 ? value : sorted.at(-1) ?? 0;
}

// Colours of relevance, which vanish at 0 and stay what they are beyond `scale`. As `colour` in src/show/heat.rs.
class Palette {
  constructor(scale, [positive, negative]) {
    Object.assign(this, { scale, positive, negative });
  }

  // A colour and how much of it there is.
  at(value) {
    const strength = this.scale > 0 ? Math.abs(value) / this.scale : 0;
    return [value > 0 ? this.positive : this.negative, Math.sqrt(Math.min(strength, 1))];
  }

  css(value) {
    const [[r, g, b], share] = this.at(value);
    return `rgb(${r} ${g} ${b} / ${share.toFixed(3)})`;
  }

  // The colour over white, and black or white to write on it.
  chip(value) {
    const [colour, share] = this.at(value);
    const mixed = colour.map((c) => Math.round(255 + (c - 255) * share));
    const linear = mixed.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    // Where black and white have the same contrast (WCAG 2).
    return `background: rgb(${mixed.join(' ')}); color: ${luminance > 0.179 ? '#000' : '#fff'}`;
  }

  legend() {
    const steps = Array.from({ length: 21 }, (_, i) => this.css(((i - 10) / 10) * this.scale));
    const bar = element('span');
    bar.style.background = `linear-gradient(to right, ${steps.join(', ')}), white`;
    return element('div', { className: 'legend', role: 'img', 'aria-label': `Colours from ${shown(-this.scale)} to ${shown(this.scale)}` }, shown(-this.scale), bar, shown(this.scale));
  }
}

// A canvas in which a pointer or the arrow keys move through cells, of which `describe` tells.
function explored(canvas, rows, columns, label, describe) {
  const readout = element('output', { className: 'readout quiet' });
  const hint = columns > 1 && rows > 1 ? 'Point at the map, or move through it with the arrow keys.' : 'Point at it, or move along it with the arrow keys.';
  readout.textContent = hint;
  let [row, column] = [0, 0];
  const tell = () => {
    readout.textContent = describe(row, column);
    canvas.dispatchEvent(new CustomEvent('cell', { detail: { row, column } }));
  };
  canvas.tabIndex = 0;
  canvas.setAttribute('role', 'application');
  canvas.setAttribute('aria-roledescription', 'heat map');
  canvas.setAttribute('aria-label', `${label}. ${hint}`);
  canvas.addEventListener('keydown', (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    row = Math.min(Math.max(row + step[0], 0), rows - 1);
    column = Math.min(Math.max(column + step[1], 0), columns - 1);
    tell();
  });
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    row = Math.min(Math.max(Math.floor(((event.clientY - box.top) / box.height) * rows), 0), rows - 1);
    column = Math.min(Math.max(Math.floor(((event.clientX - box.left) / box.width) * columns), 0), columns - 1);
    tell();
  };
  canvas.addEventListener('pointermove', point);
  canvas.addEventListener('pointerdown', point);
  return [canvas, readout];
}

// A map of pixels over the picture in light grey, as `abslrp explain` draws it; over white where there is no picture.
function pixels(map, rows, columns, palette, { bitmap, grey, label, describe }) {
  // Small ones are enlarged until pixels can be seen.
  const factor = Math.max(1, Math.floor(512 / Math.max(rows, columns)));
  const [width, height] = [columns * factor, rows * factor];
  const canvas = element('canvas', { width, height, className: 'map' });
  const context = canvas.getContext('2d');
  const layer = (paint) => {
    const small = element('canvas', { width: columns, height: rows });
    const image = new ImageData(columns, rows);
    for (let i = 0; i < rows * columns; i++) image.data.set(paint(i), 4 * i);
    small.getContext('2d').putImageData(image, 0, 0);
    return small;
  };
  context.imageSmoothingEnabled = bitmap && bitmap.width > columns;
  context.fillStyle = 'white';
  context.fillRect(0, 0, width, height);
  if (bitmap) {
    context.filter = 'grayscale(1)';
    context.drawImage(bitmap, 0, 0, width, height);
    context.filter = 'none';
  } else if (grey) {
    context.drawImage(layer((i) => [grey[i], grey[i], grey[i], 255]), 0, 0, width, height);
  }
  // Grey of 160 to 255.
  context.fillStyle = `rgb(255 255 255 / ${160 / 255})`;
  context.fillRect(0, 0, width, height);
  context.imageSmoothingEnabled = false;
  context.drawImage(layer((i) => {
    const [colour, share] = palette.at(map[i]);
    return [...colour, share * 255];
  }), 0, 0, width, height);
  // What is pointed at is framed, on a copy of what was drawn.
  const drawn = element('canvas', { width, height });
  drawn.getContext('2d').drawImage(canvas, 0, 0);
  canvas.addEventListener('cell', ({ detail: { row, column } }) => {
    context.drawImage(drawn, 0, 0);
    context.lineWidth = 2;
    context.strokeStyle = '#000';
    context.strokeRect(column * factor - 1, row * factor - 1, factor + 2, factor + 2);
    context.strokeStyle = '#fff';
    context.strokeRect(column * factor + 1, row * factor + 1, Math.max(factor - 2, 1), Math.max(factor - 2, 1));
  });
  return element('div', {}, ...explored(canvas, rows, columns, label, describe), palette.legend());
}

// Tokens, each on its colour.
function tokens(map, words, ids, palette) {
  const list = element('p', { className: 'tokens' });
  words.forEach((word, i) => {
    const text = word ?? `#${ids[i]}`;
    const chip = element('span', { title: `${text} (id ${ids[i]}): R = ${shown(map[i])}`, tabIndex: 0, style: palette.chip(map[i]) }, text);
    chip.append(element('span', { className: 'unseen' }, `, R = ${shown(map[i])}. `));
    list.append(chip, ' ');
  });
  return element('div', {}, list, palette.legend());
}

// A series of values as a line, on the colours of its relevance; several, such as channels, below each other.
function series(map, values, count, length, palette, label, unit) {
  const [width, height] = [Math.min(Math.max(length, 600), 1200), 120];
  const canvas = element('canvas', { width, height: height * count, className: 'map wide' });
  const context = canvas.getContext('2d');
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (let s = 0; s < count; s++) {
    const own = values.slice(s * length, (s + 1) * length);
    const [low, high] = own.reduce(([l, h], v) => [Math.min(l, v), Math.max(h, v)], [Infinity, -Infinity]);
    const y = (v) => s * height + height - 8 - ((v - low) / (high - low || 1)) * (height - 16);
    context.beginPath();
    for (let x = 0; x < width; x++) {
      const [begin, end] = [x, x + 1].map((at) => Math.floor((at / width) * length));
      const samples = Array.from({ length: Math.max(end - begin, 1) }, (_, i) => begin + i);
      // Of those that share a column of pixels, that with most relevance.
      const most = samples.reduce((a, b) => (Math.abs(map[s * length + b]) > Math.abs(map[s * length + a]) ? b : a));
      context.fillStyle = palette.css(map[s * length + most]);
      context.fillRect(x, s * height, 1, height);
      samples.forEach((i) => context.lineTo(x, y(own[i])));
    }
    context.strokeStyle = '#111';
    context.stroke();
  }
  const describe = (s, i) => `${unit} ${i}${count > 1 ? ` of series ${s}` : ''}: value ${shown(values[s * length + i])}, R = ${shown(map[s * length + i])}`;
  return element('div', {}, ...explored(canvas, count, length, label, describe), palette.legend());
}

// Features, those of most relevance first, with bars to either side of 0.
function table(map, values, names, palette, all = false) {
  const FEW = 30;
  const order = Array.from(map.keys()).sort((a, b) => Math.abs(map[b]) - Math.abs(map[a]));
  const largest = Math.abs(map[order[0]] ?? 0) || 1;
  const head = element('tr', {}, ...['Feature', 'Value', 'R', 'For or against'].map((text) => element('th', { scope: 'col' }, text)));
  const body = element('tbody');
  for (const i of all ? order : order.slice(0, FEW)) {
    const bar = element('span');
    const share = (Math.abs(map[i]) / largest) * 50;
    bar.style.left = `${map[i] < 0 ? 50 - share : 50}%`;
    bar.style.width = `${share}%`;
    bar.style.background = `rgb(${(map[i] > 0 ? palette.positive : palette.negative).join(' ')})`;
    const cell = element('td', { className: 'bar' }, bar, element('span', { className: 'unseen' }, map[i] > 0 ? 'for' : 'against'));
    body.append(element('tr', {}, element('td', {}, names?.[i] ?? String(i)), element('td', {}, shown(values[i])), element('td', {}, shown(map[i])), cell));
  }
  const view = element('div', { className: 'scroll' }, element('table', {}, element('thead', {}, head), body));
  if (!all && order.length > FEW) {
    const more = element('button', { type: 'button' }, `Show all ${order.length}`);
    more.addEventListener('click', () => view.replaceWith(table(map, values, names, palette, true)));
    view.append(more);
  }
  return view;
}
