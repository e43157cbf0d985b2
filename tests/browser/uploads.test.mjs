// Files on their way, with all that can come between.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ask, choose, digest, enter, file, names, press, reads, slowDown, stored, wire } from './page.mjs';

const MIB = 1 << 20;

/** Collects what the page asks of uploads: `POST`, or `PATCH` and its offset. */
function watch(page) {
  const requests = [];
  page.on('request', (request) => {
    if (!request.url().includes('/_/uploads')) return;
    const offset = request.headers()['upload-offset'];
    if (['POST', 'PATCH'].includes(request.method())) {
      requests.push({ method: request.method(), offset: offset && Number(offset) });
    }
  });
  return requests;
}

/** How many bytes the server has of the upload under way; 0 before there is one. */
async function arrived() {
  const { uploads } = await (await ask('GET', '/_/uploads')).json();
  return uploads[0]?.offset ?? 0;
}

async function until(holds) {
  for (let i = 0; i < 600; i += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`it never came that ${holds}`);
}

test('several files arrive as they are, each under its folder and name', async () => {
  const paths = [file('one.bin', 3 * MIB), file('two ü.txt', Buffer.from('hello')), file('empty', Buffer.alloc(0))];
  const page = await enter('#in=a%20folder%2F');
  await choose(page, ...paths);
  await reads(page, '#uploads', 'one.bin');
  await until(async () => (await page.$$('li.done')).length === 3);
  await reads(page, 'tbody', 'two ü.txt');
  assert.deepEqual(await names(page), ['empty', 'one.bin', 'two ü.txt']);
  const expected = ['/a%20folder/one.bin', '/a%20folder/two%20%C3%BC.txt', '/a%20folder/empty'];
  for (const [i, path] of expected.entries()) {
    assert.equal(await stored(path), digest(readFileSync(paths[i])), path);
  }
  const head = await ask('HEAD', expected[1]);
  assert.equal(head.headers.get('content-type'), 'text/plain');
  await press(page, 'Clear finished');
  await page.waitForSelector('#uploads', { hidden: true });
});

test('an upload that loses the connection goes on where it was', async (context) => {
  const path = file('lost.bin', 40 * MIB);
  const way = await wire();
  context.after(() => way.close());
  const page = await enter('', way.base);
  const requests = watch(page);
  await slowDown(page, 8 * MIB);
  await choose(page, path);
  await until(async () => (await arrived()) > 4 * MIB);
  way.cut();
  await reads(page, 'li.retrying .state', 'it goes on by itself');
  way.mend();
  await page.waitForSelector('li.done');
  assert.equal(await stored('/lost.bin'), digest(readFileSync(path)));
  assert.equal(requests.filter(({ method }) => method === 'POST').length, 1);
  const offsets = requests.filter(({ method }) => method === 'PATCH').map(({ offset }) => offset);
  assert.equal(offsets.filter((offset) => offset === 0).length, 1, `nothing is sent twice: ${offsets}`);
  assert.ok(offsets.some((offset) => offset % (16 * MIB) !== 0), `it goes on within a slice: ${offsets}`);
});

test('an upload outlasts its page: the same file goes on, another is refused', async () => {
  const path = file('film.bin', 40 * MIB);
  const page = await enter();
  const requests = watch(page);
  await slowDown(page, 8 * MIB);
  await choose(page, path);
  await until(async () => (await arrived()) > 4 * MIB);
  await page.reload();
  await reads(page, '#uploads', 'film.bin');
  const had = await arrived();
  assert.ok(had > 4 * MIB && had < 40 * MIB, `${had} bytes are kept`);

  const other = file('other.bin', MIB);
  let [chooser] = await Promise.all([page.waitForFileChooser(), press(page, 'Choose the file to go on')]);
  await chooser.accept([other]);
  await reads(page, '#notice', 'That is another file');
  assert.equal(await stored('/film.bin'), null);

  [chooser] = await Promise.all([page.waitForFileChooser(), press(page, 'Choose the file to go on')]);
  await chooser.accept([path]);
  await page.waitForSelector('li.done');
  assert.equal(await stored('/film.bin'), digest(readFileSync(path)));
  assert.equal(requests.filter(({ method }) => method === 'POST').length, 1);
  const offsets = requests.filter(({ method }) => method === 'PATCH').map(({ offset }) => offset);
  assert.equal(offsets.filter((offset) => offset === 0).length, 1, `nothing is sent twice: ${offsets}`);
  assert.equal(await page.evaluate(() => localStorage.length), 0, 'it is forgotten when it is done');
});

test('an upload tells its progress, pauses, goes on and is cancelled', async () => {
  const page = await enter();
  await slowDown(page, 4 * MIB);
  await choose(page, file('paused.bin', 40 * MIB));
  const line = await reads(page, 'li.sending .state', 'left');
  assert.match(line, /MiB of 40 MiB, [\d.]+ [KM]iB\/s, \d+ s left/);
  const part = await page.$eval('li.sending progress', (bar) => bar.value / bar.max);
  assert.ok(part > 0 && part < 1, `${part}`);
  await press(page, 'Pause');
  await reads(page, 'li.paused .state', 'paused');
  await new Promise((resolve) => setTimeout(resolve, 300));
  const had = await arrived();
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(await arrived(), had, 'nothing is sent while it is paused');
  await press(page, 'Resume');
  await until(async () => (await arrived()) > had);
  await press(page, 'Cancel');
  await until(async () => (await (await ask('GET', '/_/uploads')).json()).uploads.length === 0);
  await page.waitForSelector('#uploads', { hidden: true });
  assert.equal(await stored('/paused.bin'), null);
});

test("what others upload is shown, and can be aborted", async () => {
  const metadata = `key ${Buffer.from('from/elsewhere.bin').toString('base64')}`;
  const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '1000', 'Upload-Metadata': metadata };
  assert.equal((await ask('POST', '/_/uploads', { headers })).status, 201);
  const page = await enter();
  await reads(page, '#uploads', 'from/elsewhere.bin');
  await reads(page, '#uploads', '0 bytes of 1000 bytes');
  await press(page, 'Abort');
  await page.waitForSelector('#uploads', { hidden: true });
  assert.deepEqual((await (await ask('GET', '/_/uploads')).json()).uploads, []);
});

test('files that are dropped on the page are stored', async () => {
  const page = await enter('#in=dropped%2F');
  await page.waitForSelector('.list');
  const drop = (type) => page.evaluate((type) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['dropped'], 'note.txt', { type: 'text/plain' }));
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }, type);
  await drop('dragenter');
  await reads(page, '#drop:not([hidden])', 'Drop to store in dropped/');
  await drop('drop');
  await reads(page, 'tbody', 'note.txt');
  assert.equal(await stored('/dropped/note.txt'), digest('dropped'));
});
