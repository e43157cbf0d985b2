// Browsing, and looking into objects.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ask, BASE, choose, enter, file, names, press, put, reads, stored } from './page.mjs';

test('folders open, the way leads back, and long listings come in pages', async () => {
  for (let i = 0; i < 130; i += 1) await put(`/many/${String(i).padStart(3, '0')}`, 'x');
  await put('/films/2026/a%20b.txt', 'x');
  await put('/top.txt', 'x');
  const page = await enter();
  await reads(page, 'tbody', 'top.txt');
  assert.deepEqual(await names(page), ['films/', 'many/', 'top.txt']);
  await press(page, 'films/');
  await press(page, '2026/');
  await reads(page, 'tbody', 'a b.txt');
  assert.equal(await page.$eval('.crumbs', (crumbs) => crumbs.innerText.replace(/\s+/g, ' ')), 'All objects films 2026');
  await press(page, 'films');
  await reads(page, 'tbody', '2026/');
  await page.goBack();
  await reads(page, 'tbody', 'a b.txt');
  await page.goto(`${BASE}/_/ui#in=many%2F`);
  await reads(page, 'tbody', '000');
  assert.equal((await names(page)).length, 100);
  await press(page, 'Show more');
  await reads(page, 'tbody', '129');
  assert.equal((await names(page)).length, 130);
  await page.type('input[type=search]', '12');
  await page.waitForFunction(() => document.querySelectorAll('td.name').length === 10);
  assert.equal((await names(page))[0], '120');
});

test('an object shows its manifest and where its chunks lie', async () => {
  const path = file('chunks.bin', 9 << 20);
  const page = await enter();
  await choose(page, path);
  await page.waitForSelector('li.done');
  await press(page, 'Show');
  const info = await (await ask('GET', '/_/head/chunks.bin')).json();
  await reads(page, '.facts', info.digest);
  await reads(page, '.facts', '9 MiB (9,437,184 bytes)');
  await reads(page, '.chunks', `${info.chunks} chunks`);
  const { chunks } = await (await ask('GET', '/_/manifest/chunks.bin')).json();
  const widths = await page.$$eval('.block', (blocks) => blocks.map((block) => block.offsetWidth));
  assert.equal(widths.length, info.chunks);
  const largest = chunks.findIndex(({ size }) => size === Math.max(...chunks.map((chunk) => chunk.size)));
  assert.equal(widths[largest], Math.max(...widths));
  await page.hover('.block:nth-child(3)');
  await reads(page, '.about', chunks[2]['chaining-value']);
  await page.focus('.block');
  await page.keyboard.press('ArrowRight');
  await reads(page, '.about', chunks[1].value);
  await page.keyboard.press('End');
  await reads(page, '.about', chunks.at(-1).value);
  const focused = await page.evaluate(() => document.activeElement.getAttribute('aria-label'));
  assert.match(focused, new RegExp(`^Chunk ${info.chunks - 1}: `));
});

test('a small object lies in its manifest; a text is shown as text, its beginning if it is long', async () => {
  await put('/note.md', '# <b>Hello</b>\n', 'text/markdown');
  await put('/long.log', 'x'.repeat(100_000), 'text/plain');
  const page = await enter('#object=note.md');
  await reads(page, 'pre', '# <b>Hello</b>');
  await reads(page, '.chunks', 'in the manifest itself');
  await page.goto(`${BASE}/_/ui#object=long.log`);
  await reads(page, '.stage', 'The first 64 KiB of 97.7 KiB');
  assert.equal(await page.$eval('pre', (pre) => pre.textContent.length), 65_536);
});

test('an object is deleted after its user was asked', async () => {
  await put('/gone.bin', randomBytes(10));
  const page = await enter();
  await press(page, 'Delete gone.bin');
  await press(page, 'Cancel');
  assert.notEqual(await stored('/gone.bin'), null);
  await press(page, 'Delete gone.bin');
  await reads(page, 'dialog', 'Delete gone.bin?');
  const [button] = await page.$$('dialog .danger');
  await button.click();
  await reads(page, '#told', 'gone.bin is deleted');
  assert.ok(!(await names(page)).includes('gone.bin'));
  assert.equal(await stored('/gone.bin'), null);
});

test('a link that is copied reads this object without the token', async () => {
  await put('/for%20you.txt', 'hello');
  const page = await enter('#object=for%20you.txt');
  await page.bringToFront();
  await press(page, 'Copy link');
  await reads(page, 'dialog', 'for');
  const [button] = await page.$$('dialog .main');
  await button.click();
  await reads(page, '#told', 'Link copied');
  const link = new URL(await page.evaluate(() => navigator.clipboard.readText()));
  const seconds = Number(link.searchParams.get('expires')) - Date.now() / 1000;
  assert.ok(Math.abs(seconds - 24 * 3600) < 60, `good for ${seconds} s`);
  assert.equal(await (await fetch(link)).text(), 'hello');
  assert.equal((await fetch(`${BASE}/for%20you.txt`)).status, 401);
});

test('where the clipboard is out of reach, a link is shown to be copied', async () => {
  await put('/by%20hand.txt', 'hello');
  const page = await enter('#object=by%20hand.txt');
  await page.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); });
  await press(page, 'Copy link');
  await reads(page, 'dialog', 'for');
  const [button] = await page.$$('dialog .main');
  await button.click();
  await page.waitForSelector('dialog input[readonly]');
  const link = await page.$eval('dialog input[readonly]', (field) => field.value);
  assert.equal(await (await fetch(link)).text(), 'hello');
});

test('what goes wrong is said in one line', async () => {
  const page = await enter('#object=nothing%20there');
  await reads(page, '#notice', 'No such object');
  await page.goto(`${BASE}/_/ui#object=a%2F..%2Fb`);
  await reads(page, '#notice', 'cannot be used over HTTP');
});
