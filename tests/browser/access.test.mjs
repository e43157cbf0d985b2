// Who gets in, and what the page may do.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, BASE, enter, names, put, reads, TOKEN, unlock, visit } from './page.mjs';

test('a wrong token is told, the right one opens the store', async () => {
  await put('/hello.txt', 'hello', 'text/plain');
  const page = await visit();
  await unlock(page, 'not-the-token-of-this-server');
  await reads(page, '.wrong', 'not the token');
  await unlock(page, 'wörter');
  await reads(page, '.wrong', 'letters, digits');
  assert.deepEqual(await names(page), []);
  await unlock(page, TOKEN);
  await reads(page, 'tbody', 'hello.txt');
});

test('the token lasts as long as the tab, and is nowhere but there', async () => {
  const page = await enter();
  await reads(page, 'tbody', 'hello.txt');
  await page.reload();
  await reads(page, 'tbody', 'hello.txt');
  assert.equal(await page.evaluate(() => document.cookie + JSON.stringify(localStorage)), '{}');
  const other = await page.browserContext().newPage();
  await other.goto(`${BASE}/_/ui`);
  await other.waitForSelector('#token');
});

test('a token that is forgotten has to be given again', async () => {
  const page = await enter();
  await page.waitForSelector('#lock:not([hidden])');
  await page.click('#lock');
  await page.waitForSelector('#token');
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test('the page is for anyone, and fetches its own files only', async () => {
  const answer = await ask('GET', '/_/ui', { token: null });
  assert.equal(answer.status, 200);
  const policy = answer.headers.get('content-security-policy');
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  const html = await answer.text();
  assert.doesNotMatch(html, /https?:\/\//);
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)/);
});
