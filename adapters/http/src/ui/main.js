// The page: which view its address names, what files are dropped on it.

import { browse } from './browse.js';
import { askForToken } from './dialogs.js';
import { notice } from './dom.js';
import { showObject } from './object.js';
import * as server from './server.js';
import * as uploads from './uploads.js';

const view = document.getElementById('view');
const lock = document.getElementById('lock');
const drop = document.getElementById('drop');

let writable = false;
let leave = new AbortController();
let afresh = () => {};

/** What the address names: a folder, or an object. */
function place() {
  const [what, text = ''] = location.hash.slice(1).split('=', 2);
  let value = '';
  try {
    value = decodeURIComponent(text);
  } catch {
    // An address that was mistyped names the beginning.
  }
  return what === 'object' && value ? { key: value } : { prefix: what === 'in' ? value : '' };
}

/** The folder that files go into. */
function folder() {
  const { key, prefix } = place();
  return prefix ?? key.slice(0, key.lastIndexOf('/') + 1);
}

function show() {
  leave.abort();
  leave = new AbortController();
  notice(null);
  const { key, prefix } = place();
  const options = { signal: leave.signal, writable };
  document.title = `${key ?? (prefix || 'Chunk store')}${key || prefix ? ' · Chunk store' : ''}`;
  afresh = () => {};
  if (key) showObject(view, key, options);
  else afresh = browse(view, prefix, options);
}

function acceptDrops() {
  let depth = 0;
  const hasFiles = (event) => writable && event.dataTransfer?.types.includes('Files');
  const over = (by) => {
    depth = by === null ? 0 : depth + by;
    drop.hidden = depth <= 0;
    drop.firstElementChild.textContent = `Drop to store in ${folder() || 'this store'}`;
  };
  addEventListener('dragenter', (event) => hasFiles(event) && over(1));
  addEventListener('dragleave', (event) => hasFiles(event) && over(-1));
  addEventListener('dragover', (event) => hasFiles(event) && event.preventDefault());
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(null);
    uploads.add(event.dataTransfer.files, folder());
  });
}

async function begin() {
  document.getElementById('server').textContent = location.host;
  server.whenUnauthorized(async (refused) => {
    server.setToken(null);
    lock.hidden = true;
    await askForToken(refused);
    lock.hidden = false;
  });
  lock.hidden = !server.token();
  lock.addEventListener('click', () => {
    server.setToken(null);
    location.reload();
  });
  uploads.onArrival((key) => key.startsWith(folder()) && afresh());
  acceptDrops();
  try {
    writable = await server.writable();
  } catch (error) {
    notice(error);
  }
  addEventListener('hashchange', () => {
    show();
    view.focus({ preventScroll: true });
    scrollTo(0, 0);
  });
  show();
  if (writable) uploads.refresh();
}

begin();
