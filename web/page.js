// The page: what is fed, what the model gave, and what is shown of it. `facts` says what the model is (src/cli/page.rs).
'use strict';

const at = (id) => document.getElementById(id);
const places = new Map(facts.packages);
// What the source's inputs are fed, by name: { values, shape } and what views want to know.
const fed = new Map();
// The classes that were chosen; without, those with the largest scores are explained.
let chosen;
let shownRun;

function say(text) {
  at('status').textContent = text;
}

function complain(error) {
  console.warn(error);
  say('');
  at('alert').textContent = String(error?.message ?? error);
  at('alert').hidden = false;
}

// ---- The runtime ----

// The files of onnxruntime-web for a device.
const BUILDS = {
  webgpu: ['ort.webgpu.min.js', 'ort-wasm-simd-threaded.asyncify.mjs', 'ort-wasm-simd-threaded.asyncify.wasm'],
  wasm: ['ort.wasm.min.js', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'],
};
const DEVICES = { webgpu: 'the graphics processor (WebGPU)', wasm: 'the processor (WebAssembly)' };
// A promise of the thread that runs the model.
let runtime;

// Starts a thread with the model on a device.
async function start(device) {
  say(`Loading ONNX Runtime and ${facts.name} …`);
  const files = await Promise.all(BUILDS[device].map((file) => bytes(places.get(file))));
  const [script, module, wasm] = files;
  const model = await bytes(facts.model);
  const external = await Promise.all(facts.external.map(async ([path, place]) => [path, await bytes(place)]));
  const code = new Blob([script, `\n;(${worker})();`], { type: 'text/javascript' });
  const thread = new Worker(URL.createObjectURL(code));
  const waiting = new Map();
  thread.onmessage = ({ data: { id, result, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(error));
  };
  thread.onerror = (event) => waiting.forEach(({ reject }) => reject(new Error(event.message || 'the thread with ONNX Runtime failed')));
  let count = 0;
  const ask = (action, request) => new Promise((resolve, reject) => {
    waiting.set(++count, { resolve, reject });
    thread.postMessage({ id: count, action, ...request });
  });
  try {
    await ask('open', { module, wasm, model, external, device });
  } catch (error) {
    thread.terminate();
    throw error;
  }
  say(`${facts.name} runs on ${DEVICES[device]}.`);
  return { thread, device, ask };
}

// Starts on a device, and on the processor where that does not work; what ran before ends.
function use(device) {
  runtime?.then(({ thread }) => thread.terminate(), () => {});
  runtime = start(device).catch((error) => {
    if (device === 'wasm') throw error;
    console.warn(error);
    return start('wasm');
  });
  runtime.then((running) => { at('device').value = running.device; }, complain);
  return runtime;
}

async function run(feeds) {
  const running = await runtime;
  try {
    return { ...(await running.ask('run', { feeds })), device: running.device };
  } catch (error) {
    if (running.device === 'wasm') throw error;
    console.warn(error);
    // A model may ask for what the graphics processor has not.
    return { ...(await (await use('wasm')).ask('run', { feeds })), device: 'wasm' };
  }
}

// ---- Running the model ----

let latest = 0;
async function explain() {
  const number = ++latest;
  at('alert').hidden = true;
  try {
    const sources = new Map(facts.inputs.map((input) => [input.name, fed.get(input.name) ?? byDefault(input)]));
    const feeds = { ...facts.fixed };
    facts.inputs.forEach(({ name, type }) => { feeds[name] = { type, values: sources.get(name).values, shape: sources.get(name).shape }; });
    say('Running …');
    const count = { input: 1 }[facts.target] ?? Number(facts.target.match(/^input:(\d+)$/)?.[1] ?? 0);
    const ask = (classes) => run(count ? { ...feeds, target: { type: 'int64', values: classes, shape: facts.maps === null ? [1] : [1, count] } } : feeds);
    let classes = chosen ?? Array.from({ length: count }, (_, i) => i);
    let result = await ask(classes);
    const scores = scoresOf(result);
    if (count && !chosen && scores) {
      const best = ranked(scores).slice(0, count);
      if (best.length === count && best.some((one, i) => one !== classes[i])) {
        classes = best;
        result = await ask(classes);
      }
    }
    if (number !== latest) return; // Something else was fed meanwhile.
    shownRun = { ...result, sources, scores, classes: count ? classes : fixedClasses(scores) };
    show();
    say(`${result.milliseconds.toFixed(result.milliseconds < 10 ? 1 : 0)} ms on ${DEVICES[result.device]}.`);
  } catch (error) {
    if (number === latest) complain(error);
  }
}

// The scores of classes, where the first output is one of them per class.
function scoresOf({ outputs }) {
  const { shape, values } = outputs[facts.outputs[0]] ?? { shape: [] };
  return shape.length === 2 && shape[0] === 1 && shape[1] > 1 ? values : undefined;
}

// Classes, those of the largest scores first.
function ranked(scores) {
  return Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
}

// The classes that are explained where the model does not ask for them.
function fixedClasses(scores) {
  // In a part, classes have numbers of their own.
  if (facts.part || facts.target === 'all' || facts.target === 'max') return [];
  if (facts.target === 'argmax') return scores ? ranked(scores).slice(0, 1) : [];
  return facts.target.split(',').map(Number);
}

// What an input is fed that nothing was given for, by the names that exporters of language models use.
function byDefault({ name }) {
  const ids = [...fed.values()].find((source) => source.ids);
  const fill = { attention_mask: () => 1, token_type_ids: () => 0, position_ids: (_, i) => i }[name];
  if (!ids || !fill) throw new Error(`${name} is empty`);
  return { shape: ids.shape, values: ids.values.map(fill) };
}

// ---- What is fed ----

// Whether an input is of token ids.
const isIds = ({ type, shape }) => /^u?int(32|64)$/.test(type) && shape.length === 2;

let tokenizer;
async function useTokenizer(json) {
  const url = URL.createObjectURL(new Blob([await bytes(places.get('tokenizers.min.mjs'))], { type: 'text/javascript' }));
  const { Tokenizer } = await import(url);
  tokenizer = new Tokenizer(json, {});
}

// Feeds the token ids of a text, with what the tokenizer says of them.
async function feedText(input, text) {
  if (!tokenizer) await useTokenizer(facts.tokenizer);
  const { ids, tokens, attention_mask, token_type_ids } = tokenizer.encode(text, { return_token_type_ids: true });
  fed.set(input.name, { values: ids, shape: shapeFor(ids.length, input), ids: true, tokens });
  for (const [name, values] of Object.entries({ attention_mask, token_type_ids })) {
    const other = facts.inputs.find((one) => one.name === name);
    if (other && values) fed.set(name, { values, shape: shapeFor(values.length, other) });
  }
}

// Feeds what a file holds; `tell` shows what else there is to say or to choose.
async function feedFile(input, file, tell) {
  const extension = file.name?.split('.').pop().toLowerCase();
  const feed = (values, more) => fed.set(input.name, { values, shape: shapeFor(values.length, input), ids: isIds(input), ...more });
  if (extension === 'npy') {
    const { values, shape } = ofNpy(await file.arrayBuffer());
    feed(values, shape.length === input.shape.length ? { shape } : {});
  } else if (extension === 'wav') {
    const { values, note } = ofWav(await file.arrayBuffer());
    feed(values, { unit: 'sample' });
    tell(note);
  } else if (extension === 'csv') {
    const { rows, names } = ofCsv(await file.text());
    const choose = (row) => feed(rows[row], { names });
    choose(0);
    tell(`${rows.length} ${rows.length > 1 ? 'rows' : 'row'}`, rows.length, choose);
  } else if (input.picture) {
    fed.set(input.name, ofPicture(await picture(file), input.picture));
  } else {
    throw new Error(`${file.name} is no .csv, .wav or .npy file`);
  }
}

// Does what may fail.
async function attempt(what) {
  at('alert').hidden = true;
  try {
    await what();
  } catch (error) {
    complain(error);
  }
}

// What the fields of numbers and texts hold is fed when the model is run.
const fields = [];
function explainAll() {
  return attempt(async () => {
    for (const read of fields) await read();
    await explain();
  });
}

// A place where files are dropped or chosen.
function dropZone(id, accept, text, take) {
  const file = element('input', { type: 'file', id, accept, className: 'unseen', 'aria-describedby': `${id}-note` });
  file.addEventListener('change', () => {
    if (file.files[0]) take(file.files[0]);
    file.value = '';
  });
  const drop = element('label', { className: 'drop', htmlFor: id }, element('span', {}, element('b', {}, text[0]), text[1]), file);
  for (const kind of ['dragenter', 'dragover']) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add('over');
    });
  }
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  return drop;
}

// The picture that was given, enlarged until its pixels can be seen.
function preview({ bitmap }) {
  if (!bitmap) return [];
  const factor = Math.max(1, Math.floor(128 / bitmap.width));
  const canvas = element('canvas', { width: bitmap.width * factor, height: bitmap.height * factor, role: 'img', 'aria-label': 'The picture that is explained' });
  const context = canvas.getContext('2d');
  context.imageSmoothingEnabled = false;
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return [canvas];
}

// What an input is given by.
function control(input, index) {
  const id = `input-${index}`;
  const takes = `${input.name}: ${input.type}, ${input.shape.map((size) => size ?? '?').join(' × ')}`;
  const note = element('p', { className: 'quiet', id: `${id}-note` }, takes);
  const box = element('fieldset', {});
  if (facts.inputs.length > 1) box.append(element('legend', {}, input.name));
  const choice = element('div', { className: 'row', hidden: true });
  const tell = (text, rows = 1, choose) => {
    note.textContent = `${takes}. ${text}.`;
    choice.hidden = rows < 2;
    const row = element('input', { type: 'number', min: 1, max: rows, value: 1, id: `${id}-row` });
    row.addEventListener('change', () => attempt(async () => {
      if (!row.checkValidity()) return;
      choose(row.valueAsNumber - 1);
      await explain();
    }));
    choice.replaceChildren(element('div', {}, element('label', { htmlFor: row.id }, 'Row'), row));
  };
  const take = (file) => attempt(async () => {
    await feedFile(input, file, tell);
    chosen = undefined;
    words.value = '';
    drop.querySelector('canvas')?.remove();
    drop.prepend(...preview(fed.get(input.name)));
    await explain();
  });
  const words = element('textarea', { id: `${id}-text`, rows: 4, spellcheck: false, 'aria-describedby': note.id });
  const drop = input.picture
    ? dropZone(id, 'image/*,.npy', ['Choose a picture', ', drop one here or paste it'], take)
    : dropZone(id, '.csv,.wav,.npy', ['Choose a file', ' (.csv, .wav, .npy) or drop one here'], take);
  if (input.picture) {
    window.addEventListener('paste', (event) => {
      if (event.clipboardData.files[0]) take(event.clipboardData.files[0]);
    });
    box.append(drop, note);
    return box;
  }
  const takesText = () => isIds(input) && (tokenizer || facts.tokenizer) && !/mask|type|position/.test(input.name);
  const label = element('label', { htmlFor: words.id });
  const name = () => {
    label.textContent = takesText() ? 'Text' : `${isIds(input) ? 'Token ids' : 'Numbers'}, with spaces or commas between`;
  };
  name();
  words.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) explainAll();
  });
  let before;
  fields.push(async () => {
    if (!words.value.trim()) return;
    if (words.value !== before) chosen = undefined;
    before = words.value;
    if (takesText()) {
      await feedText(input, words.value);
    } else {
      const { values } = ofText(words.value);
      fed.set(input.name, { values, shape: shapeFor(values.length, input), ids: isIds(input) });
    }
  });
  box.append(label, words);
  if (isIds(input) && !facts.tokenizer) {
    const load = dropZone(`${id}-tokenizer`, '.json', ['Choose tokenizer.json', ' to enter a text'], (file) => attempt(async () => {
      await useTokenizer(JSON.parse(await file.text()));
      name();
      say('The tokenizer is ready: enter a text.');
    }));
    box.append(load);
  } else if (!isIds(input)) {
    box.append(drop);
  }
  box.append(choice, note);
  return box;
}

// ---- What is shown ----

// What a class is called.
const called = (index) => facts.labels[index] || `class ${index}`;

function show() {
  const { outputs, sources, scores, classes } = shownRun;
  const percent = Number(at('scale').value);
  const colours = COLOURS[at('colours').value];
  if (facts.maps !== null && at('map').length !== facts.maps) {
    at('map').replaceChildren(...Array.from({ length: facts.maps }, (_, value) => element('option', { value })));
  }
  at('map-choice').hidden = facts.maps === null;
  [...at('map').options].forEach((option, i) => { option.textContent = called(classes[i]); });
  const maps = [];
  for (const input of facts.inputs.filter(({ relevance }) => relevance)) {
    const source = sources.get(input.name);
    const all = outputs[input.relevance].values;
    // Maps lie side by side on axis 1, behind a batch of one.
    const size = all.length / (facts.maps ?? 1);
    const index = facts.maps === null ? 0 : Number(at('map').value);
    const map = all.slice(index * size, (index + 1) * size);
    const sum = map.reduce((a, b) => a + b, 0);
    const save = element('button', { type: 'button' }, 'Save as .npy');
    const { shape } = outputs[input.relevance];
    save.addEventListener('click', () => saveAs(toNpy(all, shape), `${facts.name}.${input.name}.relevance.npy`));
    const about = classes.length ? `for ${called(facts.maps === null ? classes[0] : classes[index])}` : 'for all of it';
    const caption = element('figcaption', {}, element('b', {}, input.name), ` ${about}: Σ R = ${shown(sum)}`);
    maps.push(element('figure', {}, caption, view(input, source, map, percent, colours), element('div', { className: 'row' }, save)));
  }
  at('maps').replaceChildren(...maps);
  if (!maps.length) at('maps').append('No relevance reaches an input.');
  showPrediction(outputs, scores, classes);
  at('result').hidden = at('prediction').hidden = false;
}

// The view that suits an input.
function view(input, source, map, percent, colours) {
  const { shape, values, names } = source;
  const palette = (of) => new Palette(fullColour(of, percent), colours);
  if (input.picture) {
    const [channels, rows, columns] = input.picture.axes.map((axis) => shape[axis]);
    const steps = strides(shape);
    const [c, h, w] = input.picture.axes.map((axis) => steps[axis]);
    const of = (all, row, column) => Array.from({ length: channels }, (_, i) => all[i * c + row * h + column * w]);
    // Coarse maps, and those that the model adds up, have no channels.
    const whole = map.length === rows * columns;
    const sums = whole ? map : Float64Array.from({ length: rows * columns }, (_, i) => of(map, Math.floor(i / columns), i % columns).reduce((a, b) => a + b));
    const describe = (row, column) => `Row ${row}, column ${column}: R = ${shown(sums[row * columns + column])}; the model sees ${of(values, row, column).map(shown).join(', ')}`;
    return pixels(sums, rows, columns, palette(sums), { ...source, label: `Relevance of ${rows} by ${columns} pixels`, describe });
  }
  if (source.ids) return tokens(map, source.tokens ?? values.map(() => undefined), values, palette(map));
  const length = shape.at(-1);
  const count = values.length / length;
  if (names || values.length <= 64) return table(map, values, names, palette(map));
  if (count <= 16) return series(map, values, count, length, palette(map), `Relevance of ${input.name}`, source.unit ?? 'place');
  const describe = (row, column) => `Row ${row}, column ${column}: value ${shown(values[row * length + column])}, R = ${shown(map[row * length + column])}`;
  return pixels(map, count, length, palette(map), { label: `Relevance of ${count} by ${length} values`, describe });
}

function showPrediction(outputs, scores, classes) {
  const list = at('classes');
  if (!scores) {
    list.replaceChildren(...facts.outputs.filter((name) => outputs[name]).map((name) => {
      const { shape, values } = outputs[name];
      return element('li', {}, element('span', {}, name), element('span', {}, values.length === 1 ? shown(values[0]) : shape.join(' × ')));
    }));
    return;
  }
  const best = ranked(scores).slice(0, 5);
  const rest = classes.filter((one) => !best.includes(one) && one < scores.length);
  const [low, high] = [Math.min(0, ...scores), Math.max(...scores)];
  list.replaceChildren(...[...best, ...rest].map((one) => {
    const line = element('li', {}, element('span', {}, called(one)), element('span', {}, shown(scores[one])));
    line.style.setProperty('--share', (scores[one] - low) / (high - low || 1));
    if (classes.includes(one)) {
      line.classList.add('explained');
      line.firstChild.append(' (explained)');
    }
    return line;
  }));
  // The classes that the model is asked for, where it can be.
  if (!facts.target.startsWith('input')) return;
  const choice = at('class-choice');
  choice.hidden = false;
  if (choice.childElementCount !== classes.length) {
    choice.replaceChildren(...classes.map((_, i) => {
      const options = Array.from(scores.keys(), (value) => element('option', { value }, called(value)));
      const select = element('select', { id: `class-${i}` }, ...options);
      select.addEventListener('change', () => {
        chosen = [...choice.querySelectorAll('select')].map((one) => Number(one.value));
        explain();
      });
      return element('div', {}, element('label', { htmlFor: select.id }, classes.length > 1 ? `Explain, ${i + 1}.` : 'Explain'), select);
    }));
  }
  choice.querySelectorAll('select').forEach((select, i) => { select.value = classes[i]; });
}

function saveAs(blob, name) {
  const link = element('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// ---- The start ----

document.title = `${facts.name} explains itself`;
at('name').textContent = document.title;
const WHICH = { all: 'all classes at once', argmax: 'the class with the largest score', max: 'the largest element', input: 'the class you choose' };
const which = WHICH[facts.target] ?? (facts.target.startsWith('input:') ? `the ${facts.maps} classes you choose` : `class ${facts.target.replaceAll(',', ' and ')}`);
at('how').textContent = `Drop something in, and see what counted. Explains ${facts.explained}${facts.part ? `[${facts.part}]` : ''}, ${which}, by the rule ${facts.rule}.`;
at('colours').append(...Object.keys(COLOURS).map((name) => element('option', {}, name)));
at('device').append(...Object.entries(DEVICES).map(([value, name]) => element('option', { value }, name)));
at('inputs').append(...facts.inputs.map(control));
if (fields.length) at('inputs').append(element('button', { className: 'main' }, 'Explain'));
at('inputs').addEventListener('submit', (event) => {
  event.preventDefault();
  explainAll();
});
// A file that misses its place would otherwise replace the page.
for (const kind of ['dragover', 'drop']) window.addEventListener(kind, (event) => event.preventDefault());
for (const id of ['scale', 'colours', 'map']) at(id).addEventListener('change', () => { if (shownRun) show(); });
at('device').addEventListener('change', () => {
  use(at('device').value);
  if (shownRun) explain();
});
(async () => {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  at('device-choice').hidden = !adapter;
  use(adapter ? 'webgpu' : 'wasm');
})();
