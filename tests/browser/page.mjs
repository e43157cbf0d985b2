// Chromium on the page, the server under test, and what tests say to both.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import puppeteer from 'puppeteer-core';

/** How long anything may take, in milliseconds: the machine may have more to do. */
const PATIENCE_MS = 120_000;

function given(name) {
  assert.ok(process.env[name], `set ${name}; \`cargo test --test browser\` does`);
  return process.env[name];
}

/** The server under test, whose store is empty when a file of tests begins. */
export const BASE = given('CHUNK_STORE_TEST_URL');
export const TOKEN = given('CHUNK_STORE_TEST_TOKEN');

let browser;
let directory;
const problems = [];

before(async () => {
  const executablePath = execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim();
  // Chromium has no sandbox for root.
  const args = process.getuid() === 0 ? ['--no-sandbox'] : [];
  browser = await puppeteer.launch({
    executablePath, args: [...args, '--disable-dev-shm-usage', '--mute-audio'],
    headless: true, protocolTimeout: PATIENCE_MS,
  });
  directory = mkdtempSync(join(tmpdir(), 'chunk-store-browser-'));
});

after(async () => {
  await browser?.close();
  if (directory) rmSync(directory, { recursive: true });
  assert.deepEqual(problems, [], 'the pages complained');
});

/** A page of a visitor of its own, with nothing remembered. */
export async function visit(where = '', base = BASE) {
  const context = await browser.createBrowserContext();
  await context.overridePermissions(base, ['clipboard-read', 'clipboard-sanitized-write']);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on('pageerror', (error) => problems.push(`${page.url()}: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy|TrustedHTML/.test(message.text())) problems.push(message.text());
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${base}/`) && !/^(data|blob):/.test(url)) problems.push(`asked for ${url}`);
  });
  await page.goto(`${base}/_/ui${where}`);
  return page;
}

/** The same, with the token entered. */
export async function enter(where = '', base = BASE) {
  const page = await visit(where, base);
  await unlock(page, TOKEN);
  await page.waitForSelector('dialog', { hidden: true });
  return page;
}

/** Enters a token. */
export async function unlock(page, token) {
  const field = await page.waitForSelector('#token');
  await field.click({ clickCount: 3 });
  await field.type(token);
  await page.keyboard.press('Enter');
}

/** Waits until the text of an element holds this; gives the text. */
export async function reads(page, selector, part) {
  const holds = (selector, part) => {
    const text = document.querySelector(selector)?.textContent ?? '';
    return text.includes(part) && { text };
  };
  const found = await page.waitForFunction(holds, { polling: 50 }, selector, part).catch(async (error) => {
    const there = await page.evaluate(() => document.body.innerText);
    throw new Error(`${selector} does not come to say ${JSON.stringify(part)} in:\n${there}`, { cause: error });
  });
  return (await found.jsonValue()).text;
}

/** Presses the button or link with this text or name, once it stands still. */
export async function press(page, name) {
  await page.locator(`aria/${name}`).click();
}

/** The names in the listing that is shown. */
export function names(page) {
  return page.$$eval('td.name', (cells) => cells.map((cell) => cell.textContent));
}

/** A file with random content; gives its path. */
export function file(name, bytes) {
  const path = join(directory, name);
  writeFileSync(path, typeof bytes === 'number' ? randomBytes(bytes) : bytes);
  return path;
}

/** Where a test may leave files. */
export const scratch = (name) => join(directory, name);

/** Chooses files to be uploaded. */
export async function choose(page, ...paths) {
  const input = await page.waitForSelector('#files');
  await input.uploadFile(...paths);
}

/** Lets the page send no more than so many bytes a second. */
export async function slowDown(page, uploadThroughput) {
  const session = await page.createCDPSession();
  await session.send('Network.emulateNetworkConditions', {
    offline: false, latency: 0, downloadThroughput: -1, uploadThroughput,
  });
}

/** A way to the server that can be cut: connections break in the middle of what they carry. */
export async function wire() {
  const sockets = new Set();
  let isCut = false;
  const { hostname, port } = new URL(BASE);
  const proxy = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [[near, far], [far, near]]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => {});
      from.on('close', () => { sockets.delete(from); to.destroy(); });
    }
    if (isCut) near.destroy();
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    base: `http://127.0.0.1:${proxy.address().port}`,
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => { isCut = false; },
    close: () => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A request to the server, with the token. */
export async function ask(method, path, { headers = {}, body, token = TOKEN } = {}) {
  const authorization = token ? { Authorization: `Bearer ${token}` } : {};
  return fetch(BASE + path, { method, body, headers: { ...authorization, ...headers } });
}

/** Stores an object. */
export async function put(path, body, type = 'application/octet-stream') {
  const answer = await ask('PUT', path, { body, headers: { 'Content-Type': type } });
  assert.ok(answer.ok, `PUT ${path}: ${answer.status}`);
}

/** The digest of what the server has under a path; null if nothing. */
export async function stored(path) {
  const answer = await ask('GET', path);
  if (answer.status === 404) return null;
  return digest(Buffer.from(await answer.arrayBuffer()));
}

export const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');
