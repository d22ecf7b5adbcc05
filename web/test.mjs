// Tries `abslrp page` as a person would, in headless Chromium: node web/test.mjs [--screenshots DIR]
//
// Pages are opened from disk and from a server. What they say is compared with what `abslrp explain` says, or with the
// explained model on onnxruntime-web in Node.js. Packages are installed from the index that npm is configured for, into
// a cache folder, at the versions below.
//
// Exit status: 1 if something does not hold; 2 if there is no Chromium or no npm.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PACKAGES = ['onnxruntime-web@1.30.0', '@huggingface/tokenizers@0.2.0', 'playwright-core@1.65.1', 'axe-core@4.14.1'];
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const ABSLRP = process.env.ABSLRP ?? join(ROOT, 'target/release/abslrp');
const screenshots = process.argv[2] === '--screenshots' ? process.argv[3] : undefined;

function skip(why) {
  console.error(`skipped: ${why}`);
  process.exit(2);
}

function program(...names) {
  const places = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  return places.find(existsSync);
}

const chromium = process.env.CHROMIUM ?? program('chromium', 'chromium-browser', 'google-chrome');
if (!chromium) skip('there is no Chromium; CHROMIUM names one that is not on the path');
if (!program('npm', 'npm.cmd')) skip('there is no npm to install packages with');
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'abslrp-runtimes', `page-${PACKAGES.join('-').replace(/[^\w.]+/g, '-')}`);
if (!existsSync(join(cache, 'complete'))) {
  console.error(`installing ${PACKAGES.join(' ')} into ${cache}`);
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  writeFileSync(join(cache, 'package.json'), '{}');
  try {
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...PACKAGES], { cwd: cache, stdio: ['ignore', 2, 2] });
  } catch (error) {
    skip(`npm does not install them: ${error.message}`);
  }
  writeFileSync(join(cache, 'complete'), '');
}
const require = createRequire(join(cache, 'package.json'));
const playwright = require('playwright-core');
const ort = require('onnxruntime-web');
const ORT_WEB = join(cache, 'node_modules/onnxruntime-web');
const TOKENIZERS = join(cache, 'node_modules/@huggingface/tokenizers');

const work = mkdtempSync(join(tmpdir(), 'abslrp-page-'));
const abslrp = (...args) => execFileSync(ABSLRP, args.map(String), { cwd: ROOT, encoding: 'utf8' });

// Compiles a fixture and writes its page.
function page(name, fixture, compile = [], more = []) {
  const model = join(work, `${name}.explained.onnx`);
  abslrp('compile', join('fixtures', fixture), '-o', model, ...compile);
  const folder = join(work, 'pages', name);
  mkdirSync(dirname(folder), { recursive: true });
  abslrp('page', model, '-o', folder, ...more);
  return { model, folder, file: pathToFileURL(join(folder, 'index.html')).href };
}

// A `.npy` file of float32.
function npy(path) {
  const bytes = readFileSync(path);
  const begin = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, begin);
  assert.match(header, /'<f4'/);
  const shape = header.match(/\(([^)]*)\)/)[1].split(',').filter((size) => size.trim()).map(Number);
  return { shape, values: Float32Array.from({ length: (bytes.length - begin) / 4 }, (_, i) => bytes.readFloatLE(begin + 4 * i)) };
}

// Whether arrays are the same, to 1e-4 of the largest.
function same(got, want) {
  assert.deepEqual(got.shape, want.shape);
  const largest = want.values.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  assert.ok(largest > 0, 'there is something to compare');
  const apart = want.values.reduce((a, v, i) => Math.max(a, Math.abs(v - got.values[i])), 0);
  assert.ok(apart <= 1e-4 * largest, `${apart} apart, and the largest is ${largest}`);
}

// The relevance that `abslrp explain` finds.
function explained(model, picture, ...more) {
  const out = join(work, 'explained.png');
  abslrp('explain', model, picture, '-o', out, ...more);
  return npy(join(work, 'explained.npy'));
}

// What the model gives in Node.js.
async function inNode(model, feeds, output) {
  const session = await ort.InferenceSession.create(readFileSync(model));
  const { dims, data } = (await session.run(feeds))[output];
  return { shape: [...dims], values: data };
}

// The relevance that a page saves.
async function saved(tab) {
  const [download] = await Promise.all([tab.waitForEvent('download'), tab.getByRole('button', { name: 'Save as .npy' }).click()]);
  const path = join(work, 'saved.npy');
  await download.saveAs(path);
  return npy(path);
}

// Drops a file, as a file manager does.
async function drop(tab, path, type) {
  const data = await tab.evaluateHandle(({ base64, name, type }) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type }));
    return transfer;
  }, { base64: readFileSync(path).toString('base64'), name: path.split('/').pop(), type });
  await tab.dispatchEvent('.drop', 'drop', { dataTransfer: data });
}

const ran = (tab) => tab.getByRole('status').filter({ hasText: / ms on / }).waitFor();

// Runs a fresh page; nothing may go wrong in it that nobody sees.
async function opened(browser, address, act, context = {}) {
  const tab = await (await browser.newContext({ acceptDownloads: true, ...context })).newPage();
  const wrong = [];
  tab.on('console', (message) => { if (message.type() === 'error') wrong.push(message.text()); });
  tab.on('pageerror', (error) => wrong.push(String(error)));
  try {
    await act(tab, address);
    assert.deepEqual(wrong, []);
  } catch (error) {
    if (wrong.length) console.error(wrong.join('\n'));
    if (screenshots) await tab.screenshot({ path: join(screenshots, 'failed.png'), fullPage: true });
    throw error;
  } finally {
    await tab.context().close();
  }
}

async function picture(tab, name) {
  if (screenshots) await tab.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

// What axe finds against the Web Content Accessibility Guidelines 2.2, A and AA.
async function accessible(tab) {
  await tab.addScriptTag({ path: require.resolve('axe-core') });
  const found = await tab.evaluate(() => axe.run({ preload: false, runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
  assert.deepEqual(found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`), []);
}

const TESTS = {
  async 'a digit is dropped on a page from disk'(browser) {
    const { model, file } = page('digits', 'digits.dynamo20.onnx', ['--target', 'input'], ['--ort-web', ORT_WEB]);
    await opened(browser, file, async (tab) => {
      await tab.goto(file);
      await drop(tab, join(ROOT, 'fixtures/digits/3.png'), 'image/png');
      await ran(tab);
      // The model sees a 3, and what is explained is what it sees.
      assert.match(await tab.locator('#classes li').first().innerText(), /class 3 \(explained\)/);
      const want = explained(model, 'fixtures/digits/3.png', '--target', '3');
      same(await saved(tab), want);
      // With the keyboard alone, the map says what is at the second row and third column.
      await tab.getByRole('application').focus();
      for (const key of ['ArrowDown', 'ArrowRight', 'ArrowRight']) await tab.keyboard.press(key);
      const said = await tab.locator('.readout').innerText();
      const [, value] = said.match(/Row 1, column 2: R = (\S+);/) ?? assert.fail(said);
      const largest = want.values.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
      assert.ok(Math.abs(Number(value) - want.values[8 + 2]) <= 1e-4 * largest, said);
      await picture(tab, 'desktop');
      await accessible(tab);
      // Another class has another map.
      await tab.getByLabel('Explain', { exact: true }).selectOption('class 8');
      await tab.getByText('for class 8').waitFor();
      same(await saved(tab), explained(model, 'fixtures/digits/3.png', '--target', '8'));
      // The model sees grey, whatever colours a picture has.
      await drop(tab, join(ROOT, 'docs/digits.png'), 'image/png');
      await tab.waitForFunction(() => shownRun.sources.get('x').bitmap.width > 1000);
      const [, seen] = (await tab.locator('figcaption').innerText()).match(/class (\d)/);
      same(await saved(tab), explained(model, 'docs/digits.png', '--target', seen));
      // What is no picture is refused in words, and the page goes on.
      await drop(tab, join(ROOT, 'README.md'), 'image/png');
      await tab.getByRole('alert').filter({ hasText: 'no picture' }).waitFor();
    });
  },

  async 'a coarse map of the largest element in a part, on demand'(browser) {
    const options = ['--on-demand', '--map-at', '8', '--select', ':,1:', '--target', 'max'];
    const fit = ['--fit', 'crop:0.8'];
    const { model, file } = page('coarse', 'vgg.dynamo20.onnx', options, ['--ort-web', ORT_WEB, ...fit]);
    await opened(browser, file, async (tab) => {
      await tab.goto(file);
      await tab.getByText('Explains logits[:,1:], the largest element').waitFor();
      await drop(tab, join(ROOT, 'fixtures/digits/3.png'), 'image/png');
      await ran(tab);
      same(await saved(tab), explained(model, 'fixtures/digits/3.png', ...fit));
      await tab.getByRole('application').focus();
      await tab.keyboard.press('ArrowDown');
      const said = await tab.locator('.readout').innerText();
      const [, value] = said.match(/Row \d+, column \d+: R = (\S+);/) ?? assert.fail(said);
      assert.ok(Number.isFinite(Number(value)), said);
    });
  },

  async 'on WebGPU, and without it where it fails'() {
    const { model, file } = page('gpu', 'digits.dynamo20.onnx', ['--target', 'argmax'], ['--ort-web', ORT_WEB]);
    // Chromium's software takes the place of a graphics processor.
    const browser = await launched('--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader');
    try {
      const show = (device) => async (tab) => {
        await tab.goto(file);
        await drop(tab, join(ROOT, 'fixtures/digits/3.png'), 'image/png');
        await tab.getByRole('status').filter({ hasText: new RegExp(` ms on .*${device}`) }).waitFor({ timeout: 120_000 });
        same(await saved(tab), explained(model, 'fixtures/digits/3.png'));
      };
      await opened(browser, file, show('WebGPU'));
      await opened(browser, file, async (tab) => {
        // A device that there is not.
        await tab.addInitScript(() => {
          const post = Worker.prototype.postMessage;
          Worker.prototype.postMessage = function (message) {
            post.call(this, message.device === 'webgpu' ? { ...message, device: 'none' } : message);
          };
        });
        await show('WebAssembly')(tab);
      });
    } finally {
      await browser.close();
    }
  },

  async 'a picture of another size and colours on a dark phone, with the runtime from the CDN'(browser) {
    const fit = ['--fit', 'letterbox', '--statistics', 'imagenet', '--bgr'];
    const { model, folder } = page('cdn', 'vgg.dynamo20.onnx', ['--target', 'argmax'], fit);
    const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
    const server = createServer((request, response) => {
      const path = join(folder, decodeURIComponent(new URL(request.url, 'http://x').pathname));
      response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream');
      response.end(readFileSync(path));
    });
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, colorScheme: 'dark' };
    try {
      await opened(browser, '', async (tab) => {
        // The CDN's files are those of the package, or their hashes would be others.
        let served = 0;
        await tab.route('https://cdn.jsdelivr.net/npm/onnxruntime-web@1.30.0/**', (route) => {
          served += 1;
          const path = join(ORT_WEB, new URL(route.request().url()).pathname.split('@1.30.0/')[1]);
          return route.fulfill({ path, headers: { 'Access-Control-Allow-Origin': '*' } });
        });
        await tab.goto(`http://127.0.0.1:${server.address().port}/index.html`);
        await tab.getByLabel('Choose a picture').setInputFiles(join(ROOT, 'docs/digits.png'));
        await ran(tab);
        assert.equal(served, 3);
        same(await saved(tab), explained(model, 'docs/digits.png', ...fit));
        assert.equal(await tab.evaluate(() => document.scrollingElement.scrollWidth), 360);
        await accessible(tab);
        await picture(tab, 'phone');
      }, phone);
    } finally {
      server.close();
    }
  },

  async 'features from a table, with a map for each of two classes'(browser) {
    const { model, file } = page('table', 'cancer.dynamo20.onnx', ['--target', '0,1'], ['--ort-web', ORT_WEB]);
    const rows = [0, 1].map((row) => Array.from({ length: 30 }, (_, i) => Math.sin(31 * row + i + 1)));
    const table = join(work, 'table.csv');
    const names = Array.from({ length: 30 }, (_, i) => `feature ${i}`);
    writeFileSync(table, [`${names.join(',')},label`, ...rows.map((row) => `${row.join(',')},1`)].join('\n'));
    await opened(browser, file, async (tab) => {
      await tab.goto(file);
      await tab.getByLabel('Choose a file').setInputFiles(table);
      await ran(tab);
      await tab.getByLabel('Row').fill('2');
      await tab.keyboard.press('Tab');
      await tab.waitForFunction(() => shownRun.sources.get('x').values[0] === Math.sin(32));
      const want = await inNode(model, { x: new ort.Tensor('float32', rows[1], [1, 30]) }, 'x_relevance');
      same(await saved(tab), want);
      // In the table of class 1, features by name, those of most relevance first.
      await tab.getByLabel('Map').selectOption('class 1');
      await tab.getByText('for class 1').waitFor();
      const map = want.values.slice(30);
      const order = Array.from(map.keys()).sort((a, b) => Math.abs(map[b]) - Math.abs(map[a]));
      const [name, value, relevance] = await tab.locator('tbody tr').first().locator('td').allInnerTexts();
      assert.equal(name, names[order[0]]);
      assert.ok(Math.abs(Number(value) - rows[1][order[0]]) < 1e-5 && Math.abs(Number(relevance) - map[order[0]]) <= 1e-4 * Math.abs(map[order[0]]));
      await accessible(tab);
      await picture(tab, 'table');
    }, { colorScheme: 'dark' });
  },

  async 'a sound'(browser) {
    const { model, file } = page('sound', 'audio.dynamo20.onnx', ['--target', 'argmax'], ['--ort-web', ORT_WEB]);
    const samples = Int16Array.from({ length: 200 }, (_, i) => Math.round(20000 * Math.sin(i / 5)));
    const wav = Buffer.alloc(44 + 400);
    wav.write('RIFF', 0);
    wav.writeUInt32LE(436, 4);
    wav.write('WAVEfmt ', 8);
    [[16, 16, 4], [20, 1, 2], [22, 1, 2], [24, 8000, 4], [28, 16000, 4], [32, 2, 2], [34, 16, 2], [40, 400, 4]].forEach(([at, value, size]) => wav.writeUIntLE(value, at, size));
    wav.write('data', 36);
    samples.forEach((sample, i) => wav.writeInt16LE(sample, 44 + 2 * i));
    writeFileSync(join(work, 'sound.wav'), wav);
    await opened(browser, file, async (tab) => {
      await tab.goto(file);
      await tab.getByLabel('Choose a file').setInputFiles(join(work, 'sound.wav'));
      await ran(tab);
      await tab.getByText('200 samples at 8000 Hz').waitFor();
      const x = new ort.Tensor('float32', Float32Array.from(samples, (sample) => sample / 32768), [1, 1, 200]);
      same(await saved(tab), await inNode(model, { x }, 'x_relevance'));
      await accessible(tab);
      await picture(tab, 'sound');
    });
  },

  async 'a text, by a tokenizer, and ids without one'(browser) {
    const tokenizer = join(work, 'tokenizer.json');
    const vocab = { '[UNK]': 0, the: 1, cat: 2, sat: 3 };
    const parts = { normalizer: { type: 'Lowercase' }, pre_tokenizer: { type: 'Whitespace' }, post_processor: null, decoder: null };
    writeFileSync(tokenizer, JSON.stringify({ version: '1.0', added_tokens: [], ...parts, model: { type: 'WordLevel', vocab, unk_token: '[UNK]' } }));
    const more = ['--ort-web', ORT_WEB, '--tokenizers-web', TOKENIZERS, '--tokenizer', tokenizer];
    const { model, file } = page('text', 'embeddings/gather.onnx', [], more);
    const want = await inNode(model, { ids: new ort.Tensor('int64', [1n, 2n, 3n], [1, 3]) }, 'ids_relevance');
    await opened(browser, file, async (tab) => {
      await tab.goto(file);
      await tab.getByLabel('Text').fill('The cat sat');
      await tab.getByRole('button', { name: 'Explain' }).click();
      await ran(tab);
      assert.deepEqual(await tab.locator('.tokens > span').evaluateAll((all) => all.map((one) => one.firstChild.data)), ['the', 'cat', 'sat']);
      same(await saved(tab), want);
      await accessible(tab);
      await picture(tab, 'text');
    });
    const ids = page('ids', 'embeddings/gather.onnx', [], ['--ort-web', ORT_WEB]);
    await opened(browser, ids.file, async (tab) => {
      await tab.goto(ids.file);
      await tab.getByLabel('Token ids').fill('1, 2 3');
      await tab.keyboard.press('Control+Enter');
      await ran(tab);
      same(await saved(tab), want);
    });
  },
};

if (screenshots) mkdirSync(screenshots, { recursive: true });
const launched = (...args) => playwright.chromium.launch({ executablePath: chromium, args: ['--no-sandbox', ...args] });
const browser = await launched();
try {
  for (const [name, test] of Object.entries(TESTS)) {
    await test(browser);
    console.log(`ok: ${name}`);
  }
} finally {
  await browser.close();
  rmSync(work, { recursive: true, force: true });
}
