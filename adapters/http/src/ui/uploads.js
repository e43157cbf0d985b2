// The uploads of this page, and the others that the server knows of.

import { button, h, icon, notice, sentence, tell } from './dom.js';
import { ago, bytes, counted, duration, exactly, nameOf, typeOfName } from './format.js';
import * as server from './server.js';
import { remembered, Transfer } from './tus.js';

/** So many files are sent at once. */
const AT_ONCE = 2;

/** How often the server is asked what is under way, in milliseconds, while anything is. */
const POLL_MS = 5000;

const section = document.getElementById('uploads');
const own = h('ul', { class: 'transfers' });
const others = h('ul', { class: 'transfers' });
const othersTitle = h('h3', {}, 'Also on the server');
const clear = button('Clear finished', null, clearEnded, { class: 'quiet' });
section.append(h('header', {}, h('h2', {}, 'Uploads'), clear), own, othersTitle, others);

/** The transfers of this page with their rows. */
const transfers = new Map();
let elsewhere = [];
let polling = null;
let whenDone = () => {};

/** Says what to do when an object has arrived: called with its key. */
export function onArrival(act) {
  whenDone = act;
}

/** Takes files; each becomes the object of `prefix` and its name. */
export function add(files, prefix) {
  for (const file of files) addOne(file, prefix + (file.webkitRelativePath || file.name));
  startNext();
}

function addOne(file, key) {
  const same = [...transfers.keys()].find((other) => other.key === key && !hasEnded(other));
  if (same) {
    if (same.state === 'paused' || same.state === 'failed') resume(same);
    else tell(`${nameOf(key)} is on its way already`);
    return;
  }
  const transfer = new Transfer(file, key, file.type || typeOfName(file.name));
  const row = makeRow(transfer);
  transfers.set(transfer, row);
  own.append(row.element);
  transfer.addEventListener('change', () => row.update());
  row.update();
  section.hidden = false;
}

const hasEnded = (transfer) => ['done', 'cancelled'].includes(transfer.state);
const isRunning = (transfer) => ['sending', 'retrying'].includes(transfer.state);

function startNext() {
  const all = [...transfers.keys()];
  const free = AT_ONCE - all.filter(isRunning).length;
  all.filter((transfer) => transfer.state === 'waiting').slice(0, Math.max(0, free)).forEach(start);
  show();
}

async function start(transfer) {
  await transfer.run();
  if (transfer.state === 'done') {
    tell(`${nameOf(transfer.key)} is stored`);
    whenDone(transfer.key);
  }
  startNext();
  refresh();
}

function resume(transfer) {
  transfer.state = 'waiting';
  startNext();
}

async function cancel(transfer) {
  await transfer.cancel();
  transfers.get(transfer)?.element.remove();
  transfers.delete(transfer);
  startNext();
  refresh();
}

function clearEnded() {
  for (const [transfer, row] of transfers) {
    if (hasEnded(transfer)) {
      row.element.remove();
      transfers.delete(transfer);
    }
  }
  show();
}

function makeRow(transfer) {
  const bar = h('progress', { max: Math.max(1, transfer.file.size), 'aria-label': transfer.key });
  const state = h('span', { class: 'state' });
  const pause = button('Pause', null, () => transfer.pause());
  const go = button('Resume', null, () => resume(transfer));
  const stop = button('Cancel', null, () => cancel(transfer));
  const view = h('a', { href: `#object=${encodeURIComponent(transfer.key)}`, class: 'button' }, 'Show');
  const element = h('li', {}, h('div', { class: 'what' }, icon('upload'),
    h('span', { class: 'name', title: transfer.key }, transfer.key), state),
  bar, h('div', { class: 'actions' }, pause, go, stop, view));
  const update = () => {
    const now = transfer.state;
    element.className = now;
    bar.value = now === 'done' ? bar.max : transfer.sent;
    state.textContent = describe(transfer);
    pause.hidden = !isRunning(transfer) && now !== 'waiting';
    go.hidden = now !== 'paused' && now !== 'failed';
    stop.hidden = hasEnded(transfer);
    view.hidden = now !== 'done';
    clear.hidden = ![...transfers.keys()].some(hasEnded);
  };
  return { element, update };
}

/** One line on how a transfer stands. */
function describe({ state, sent, file, rate, problem }) {
  const part = `${bytes(sent)} of ${bytes(file.size)}`;
  switch (state) {
    case 'waiting': return `${bytes(file.size)}, waits its turn`;
    case 'paused': return `${part}, paused`;
    case 'done': return `${bytes(file.size)}, stored`;
    case 'failed': return `${part}. ${sentence(problem.message)}`;
    case 'retrying': return `${part}. ${sentence(problem.message)}; it goes on by itself`;
    default: {
      if (!rate) return part;
      return `${part}, ${bytes(Math.round(rate))}/s, ${duration((file.size - sent) / rate)} left`;
    }
  }
}

/** Asks the server what is under way, and again while anything is. */
export async function refresh() {
  clearTimeout(polling);
  try {
    elsewhere = await server.uploads();
  } catch (error) {
    // The view says what is wrong with the server.
    elsewhere = [];
  }
  show();
  if (!section.hidden && document.visibilityState === 'visible') {
    polling = setTimeout(refresh, POLL_MS);
  }
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && !section.hidden) refresh();
});

function show() {
  const mine = new Set([...transfers.keys()].map((transfer) => transfer.name));
  const listed = elsewhere.filter((upload) => !mine.has(upload.name));
  others.replaceChildren(...listed.map(otherRow));
  othersTitle.hidden = listed.length === 0;
  othersTitle.textContent = transfers.size ? 'Also on the server' : 'Under way on the server';
  clear.hidden = ![...transfers.keys()].some(hasEnded);
  section.hidden = transfers.size === 0 && listed.length === 0;
}

/** An upload that this page is not sending: another client's, or one it began before. */
function otherRow(upload) {
  const file = remembered(upload.name);
  const part = upload.size == null ? bytes(upload.offset)
    : `${bytes(upload.offset)} of ${bytes(upload.size)}`;
  const bar = h('progress', upload.size == null
    ? { 'aria-label': upload.key }
    : { max: Math.max(1, upload.size), value: upload.offset, 'aria-label': upload.key });
  return h('li', {},
    h('div', { class: 'what' }, icon('upload'),
      h('span', { class: 'name', title: upload.key }, upload.key),
      h('span', { class: 'state', title: `until ${exactly(upload.deadline)}` },
        `${part}, begun ${ago(upload.started)}${upload.sealed ? ', being committed' : ''}`)),
    bar,
    h('div', { class: 'actions' },
      file && button('Choose the file to go on', null, () => choose(file)),
      button('Abort', null, () => giveUp(upload.name))));
}

/** Has the user choose the file that was being sent when the page was closed. */
function choose([key, name, size, modified]) {
  const input = h('input', { type: 'file' });
  input.addEventListener('change', () => {
    const [file] = input.files;
    if (file.name !== name || file.size !== size || file.lastModified !== modified) {
      notice(`that is another file: ${name}, ${counted(size, 'byte')}, is the one to go on with`);
      return;
    }
    notice(null);
    addOne(file, key);
    startNext();
  });
  input.click();
}

async function giveUp(name) {
  try {
    await server.abort(name);
  } catch (error) {
    notice(error);
  }
  refresh();
}
