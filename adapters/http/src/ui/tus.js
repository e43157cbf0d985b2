// One file on its way to the server by the tus protocol 1.0.0: in slices, each of which is
// kept by the server as far as it came, so that it goes on after errors, after a pause,
// and after the page was closed.

import { anotherToken, bearer, Problem, token, uploadUrl } from './server.js';

/** One request carries at most so much; the server commits a slice before it answers. */
const SLICE_BYTES = 16 << 20;

/** A transfer that fails so often in a row waits for its user. */
const ATTEMPTS_MAX = 8;

/** The longest wait before another attempt, in milliseconds. */
const WAIT_MS_MAX = 15_000;

/** The rate is that of so many milliseconds. */
const RATE_MS = 4000;

const REMEMBERED = 'chunk-store-upload ';

/** Under what the upload of a file to a key is remembered. */
const memoryOf = (file, key) =>
  REMEMBERED + JSON.stringify([key, file.name, file.size, file.lastModified]);

/** What was being sent as this upload: `[key, name, size, modified]`, or null. */
export function remembered(uploadName) {
  for (let i = 0; i < localStorage.length; i += 1) {
    const memory = localStorage.key(i);
    if (memory.startsWith(REMEMBERED) && localStorage.getItem(memory) === uploadName) {
      return JSON.parse(memory.slice(REMEMBERED.length));
    }
  }
  return null;
}

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/**
 * A transfer. Its `state` is `waiting`, `sending`, `retrying`, `paused`, `failed`, `done` or
 * `cancelled`; every change, and progress, is an event `change`.
 */
export class Transfer extends EventTarget {
  #memory;
  #request = null;
  #wake = null;
  #samples = [];

  constructor(file, key, type) {
    super();
    this.file = file;
    this.key = key;
    this.type = type;
    this.state = 'waiting';
    this.sent = 0;
    this.problem = null;
    this.#memory = memoryOf(file, key);
  }

  /** The name that the server gave the upload; null before it has one. */
  get name() {
    return localStorage.getItem(this.#memory);
  }

  /** Bytes a second of late; null while nobody can say. */
  get rate() {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || last.at - first.at < 300) return null;
    return (1000 * (last.sent - first.sent)) / (last.at - first.at);
  }

  /** Sends until it is done, paused, cancelled or has failed for good. */
  async run() {
    this.problem = null;
    this.#samples = [];
    this.#become('sending');
    for (let attempts = 0; this.#isRunning();) {
      try {
        const before = this.sent;
        await this.#send();
        if (this.sent > before) attempts = 0;
        if (this.state === 'sending' && this.sent === this.file.size) this.#end('done');
      } catch (error) {
        if (!this.#isRunning()) return;
        if (error.status === 401) {
          await anotherToken(error.facts.token);
        } else if (++attempts === ATTEMPTS_MAX || !mayPass(error)) {
          this.#become('failed', error);
        } else {
          this.#become('retrying', error);
          await this.#wait(Math.min(WAIT_MS_MAX, 500 * 2 ** attempts));
          if (this.#isRunning()) this.#become('sending');
        }
      }
    }
  }

  /** Stops for a while; what has arrived stays. */
  pause() {
    if (!this.#isRunning() && this.state !== 'waiting') return;
    this.#become('paused');
    this.#request?.abort();
    this.#wake?.();
  }

  /** Stops for good, and has the server forget what has arrived. */
  async cancel() {
    const name = this.name;
    this.#end('cancelled');
    this.#request?.abort();
    this.#wake?.();
    if (name) await this.#ask('DELETE', uploadUrl(name)).catch(() => {});
  }

  #isRunning() {
    return this.state === 'sending' || this.state === 'retrying';
  }

  /** From where the server stands to the end of the file. */
  async #send() {
    let name = this.name;
    if (name) name = await this.#look(name);
    name ??= await this.#create();
    while (this.state === 'sending' && this.sent < this.file.size) {
      const slice = this.file.slice(this.sent, this.sent + SLICE_BYTES);
      const begin = this.sent;
      const answer = await this.#ask('PATCH', uploadUrl(name), {
        'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': begin,
      }, slice, (loaded) => this.#came(begin + loaded));
      this.#came(Number(answer.getResponseHeader('Upload-Offset')));
    }
  }

  /** Where the server stands; null where it does not know the upload any more. */
  async #look(name) {
    try {
      const answer = await this.#ask('HEAD', uploadUrl(name));
      this.#samples = [];
      this.#came(Number(answer.getResponseHeader('Upload-Offset')));
      return name;
    } catch (error) {
      if (error.status !== 404) throw error;
      localStorage.removeItem(this.#memory);
      this.sent = 0;
      return null;
    }
  }

  async #create() {
    const described = { key: this.key, ...(this.type && { filetype: this.type }) };
    const pairs = Object.entries(described).map(([name, value]) => `${name} ${base64(value)}`);
    const answer = await this.#ask('POST', uploadUrl(), {
      'Upload-Length': this.file.size, 'Upload-Metadata': pairs.join(','),
    });
    const name = answer.getResponseHeader('Location').split('/').pop();
    localStorage.setItem(this.#memory, name);
    return name;
  }

  /** A request by XMLHttpRequest, since `fetch` does not tell how much was sent. */
  #ask(method, url, headers = {}, body = null, onProgress = null) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const given = token();
      request.open(method, url);
      const all = { 'Tus-Resumable': '1.0.0', ...bearer(given), ...headers };
      for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
      if (onProgress) request.upload.onprogress = (event) => onProgress(event.loaded);
      request.onload = () => {
        if (request.status >= 200 && request.status < 300) resolve(request);
        else reject(problemOf(request, given));
      };
      request.onerror = () => reject(new Problem('the connection was lost'));
      request.onabort = () => reject(new Problem('stopped'));
      if (method !== 'DELETE') this.#request = request;
      request.send(body);
    });
  }

  #came(sent) {
    this.sent = sent;
    const now = performance.now();
    this.#samples.push({ at: now, sent });
    while (now - this.#samples[0].at > RATE_MS && this.#samples.length > 2) this.#samples.shift();
    this.dispatchEvent(new Event('change'));
  }

  #wait(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      addEventListener('online', this.#wake, { once: true });
    });
  }

  #become(state, problem = null) {
    this.state = state;
    this.problem = problem;
    this.dispatchEvent(new Event('change'));
  }

  #end(state) {
    localStorage.removeItem(this.#memory);
    this.#become(state);
  }
}

/** Whether another attempt may fare better: no answer, another offset, a busy server. */
const mayPass = ({ status }) => status === 0 || status === 409 || status === 423 || status >= 500;

function problemOf(request, given) {
  let problem = {};
  try {
    problem = JSON.parse(request.responseText);
  } catch {
    // The answer to HEAD has no body, and a proxy may answer something else.
  }
  const detail = problem.detail ?? `the server answered ${request.status}`;
  return new Problem(detail, request.status, { ...problem, token: given });
}
