// Whoever may write chooses what is stored: none of it may act in the page's place. A stored
// page has the same address as the server, so it could read the token of a tab, or use a
// server that needs none.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ask, BASE, enter, press, put, reads, scratch } from './page.mjs';

const ACTS = `
  document.title = 'ran';
  let token = 'none';
  try { token = sessionStorage.getItem('chunk-store-token') } catch (error) { token = error.name }
  fetch('/seen/' + token, { method: 'PUT', body: 'x' });
  navigator.sendBeacon('/_/sweep?token=' + token);
`;
const HTML = `<!doctype html><title>quiet</title><h1>Stored</h1><script>${ACTS}</script>
  <form id="f" method="post" action="/_/sweep"></form>
  <img src="x" onerror="document.title = 'ran'">`;
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" onload="document.title = 'ran'"><title>quiet</title>
  <script>${ACTS}</script><text y="20">Stored</text></svg>`;

for (const [path, type, content] of [
  ['/evil.html', 'text/html', HTML],
  ['/evil.xhtml', 'application/xhtml+xml', `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>quiet</title></head><body><p>Stored</p><script>${ACTS}</script></body></html>`],
  ['/evil.svg', 'image/svg+xml', SVG],
]) {
  test(`${path} shows and does nothing, opened from the page`, async () => {
    await put(path, content, type);
    const page = await enter(`#object=${encodeURIComponent(path.slice(1))}`);
    const sent = [];
    page.browserContext().on('targetcreated', async (target) => {
      const opened = await target.page();
      opened?.on('request', (request) => sent.push(`${request.method()} ${request.url()}`));
    });
    const [target] = await Promise.all([
      page.browserContext().waitForTarget((target) => target.url().includes(path)),
      press(page, 'Open'),
    ]);
    const opened = await target.page();
    await opened.waitForFunction(() => document.documentElement?.textContent.includes('Stored'));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const seen = await opened.evaluate(() => {
      let storage;
      try {
        storage = sessionStorage.length;
      } catch (error) {
        storage = error.name;
      }
      return { origin: self.origin, storage, title: document.querySelector('title').textContent };
    });
    assert.deepEqual(seen, { origin: 'null', storage: 'SecurityError', title: 'quiet' });
    const written = sent.filter((line) => !line.startsWith('GET '));
    assert.deepEqual(written, []);
    assert.deepEqual((await (await ask('GET', '/_/list?prefix=seen/')).json()).objects, []);
  });
}

test('a stored page in a tab where the token is kept cannot read it', async () => {
  await put('/evil.html', HTML, 'text/html');
  const page = await enter();
  const { path } = await (await ask('POST', '/_/sign/evil.html')).json();
  await page.goto(BASE + path);
  assert.equal(await page.evaluate(() => document.title), 'quiet');
  assert.equal(await page.evaluate(() => self.origin), 'null');
  await page.goBack();
  assert.ok(await page.evaluate(() => sessionStorage.getItem('chunk-store-token')), 'it was there');
});

test('keys and texts are text, whatever they hold', async () => {
  const key = '<img src=x onerror="document.title=1"><b>bold';
  await put(`/markup/${encodeURIComponent(key)}`, `${key}</b><script>document.title=1</script>`, 'text/html');
  const page = await enter('#in=markup%2F');
  await reads(page, 'tbody', key);
  await page.goto(`${BASE}/_/ui#object=${encodeURIComponent(`markup/${key}`)}`);
  await reads(page, 'pre', '<script>document.title=1');
  await reads(page, 'h1', key);
  assert.equal(await page.evaluate(() => document.querySelectorAll('main img, main b, main script').length), 0);
  assert.notEqual(await page.title(), '1');
});

test('an object whose name leads elsewhere is read from this server', async () => {
  await put('///elsewhere.example/a.txt', 'here', 'text/plain');
  const page = await enter(`#object=${encodeURIComponent('//elsewhere.example/a.txt')}`);
  await reads(page, 'pre', 'here');
  const href = await page.$eval('a[download]', (link) => link.href);
  assert.ok(href.startsWith(`${BASE}///elsewhere.example/a.txt?`), href);
  assert.ok((await fetch(href)).ok);
});

test('a video that is opened by itself plays', async () => {
  const path = scratch('short.webm');
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=10:duration=5', '-c:v', 'libvpx', path]);
  await put('/short.webm', readFileSync(path), 'video/webm');
  const page = await enter();
  const link = await (await ask('POST', '/_/sign/short.webm')).json();
  const answer = await page.goto(BASE + link.path);
  assert.equal(answer.headers()['x-content-type-options'], 'nosniff');
  await page.$eval('video', (video) => { video.muted = true; return video.play(); });
  await page.waitForFunction(() => document.querySelector('video').currentTime > 0.5, { polling: 50 });
});
