// One object: played or shown in place, described, and where it lies.
//
// Content is shown as video, audio, image or plain text, and never as a page. The server
// has browsers keep stored pages from its origin too; see docs/http.md.

import { breadcrumbs, folderHref, removeObject } from './browse.js';
import { CHUNKS_AT_ONCE, chunkMap } from './chunks.js';
import { copy, share } from './dialogs.js';
import { button, h, icon, notice } from './dom.js';
import { ago, bytes, counted, duration, exactly, kind, nameOf } from './format.js';
import * as server from './server.js';

/** So much of a text is shown, in bytes. */
const TEXT_BYTES = 64 << 10;

/** Shows an object in `view`. */
export async function showObject(view, key, { signal, writable }) {
  const main = h('div', { class: 'object' });
  view.replaceChildren(h('div', { class: 'head' }, breadcrumbs(key)), main);
  view.setAttribute('aria-busy', 'true');
  try {
    const first = await server.manifest(key, 0, CHUNKS_AT_ONCE, signal);
    const link = await server.link(key);
    if (signal.aborted) return;
    main.append(titleOf(first.info, link.url, writable), await preview(first.info, link, signal),
      h('div', { class: 'columns' }, factsOf(first.info), chunkMap(key, first, signal)));
    notice(null);
  } catch (error) {
    if (error.name !== 'AbortError') notice(error);
  } finally {
    view.removeAttribute('aria-busy');
  }
}

function titleOf(info, url, writable) {
  const { key } = info;
  const name = nameOf(key);
  const remove = async () => {
    try {
      const folder = key.slice(0, key.length - name.length);
      if (await removeObject(key)) location.hash = folderHref(folder);
    } catch (error) {
      notice(error);
    }
  };
  return h('div', { class: 'title' }, icon(kind(key, info['content-type'])),
    h('h1', {}, name),
    h('div', { class: 'actions' },
      h('a', { class: 'button', href: url, download: name }, icon('download'), 'Download'),
      h('a', { class: 'button', href: url, target: '_blank', rel: 'noopener' }, icon('open'), 'Open'),
      button('Copy link', 'link', () => share(key).catch(notice)),
      writable && button('Delete', 'delete', remove, { class: 'careful' })));
}

async function preview(info, link, signal) {
  const { key } = info;
  switch (kind(key, info['content-type'])) {
    case 'video': return playerOf('video', key, link);
    case 'audio': return playerOf('audio', key, link);
    case 'image': return imageOf(key, link.url);
    case 'text': return textOf(info, signal);
    default: return '';
  }
}

/** A player. A link that ended while it was paused is replaced, and it goes on. */
function playerOf(name, key, link) {
  const player = h(name, { controls: true, preload: 'metadata', src: link.url, playsinline: true });
  const stage = h('div', { class: `stage ${name}` }, player);
  let { expires } = link;
  player.addEventListener('error', async () => {
    if (expires && Date.now() / 1000 >= expires) {
      const at = player.currentTime;
      try {
        const renewed = await server.link(key);
        expires = renewed.expires;
        player.src = renewed.url;
        player.currentTime = at;
        player.play();
        return;
      } catch (error) {
        notice(error);
      }
    }
    stage.replaceChildren(h('p', { class: 'soft' }, `This browser cannot play this ${name}; download it to play it elsewhere.`));
  });
  return stage;
}

function imageOf(key, url) {
  const image = h('img', { src: url, alt: nameOf(key) });
  const stage = h('div', { class: 'stage image' }, image);
  image.addEventListener('error', () => stage.replaceChildren(
    h('p', { class: 'soft' }, 'This browser cannot show this image.')));
  return stage;
}

async function textOf(info, signal) {
  if (info.size === 0) return '';
  const bytesShown = Math.min(info.size, TEXT_BYTES);
  const text = new TextDecoder().decode(await server.head(info.key, bytesShown, signal));
  return h('div', { class: 'stage text' },
    h('pre', { tabindex: 0, 'aria-label': 'The text' }, text),
    bytesShown < info.size
      && h('p', { class: 'soft' }, `The first ${bytes(bytesShown)} of ${bytes(info.size)}.`));
}

function factsOf(info) {
  const rows = [];
  const fact = (name, value, attributes = {}) =>
    rows.push(h('div', {}, h('dt', {}, name), h('dd', attributes, value)));
  fact('Size', info.size < 1024 ? bytes(info.size) : `${bytes(info.size)} (${counted(info.size, 'byte')})`);
  fact('Type', info['content-type'] ?? 'not given');
  fact('Modified', `${exactly(info.modified)}`, { title: ago(info.modified) });
  if (info.expires != null) {
    const left = (info.expires - Date.now()) / 1000;
    fact('Expires', left > 0 ? `in ${duration(left)}` : 'now', { title: exactly(info.expires) });
  }
  rows.push(h('div', {}, h('dt', {}, 'Digest'), h('dd', { class: 'hex' }, info.digest,
    button('Copy digest', 'copy', () => copy(info.digest, 'Digest'), { quiet: true }))));
  fact('ETag', info.etag, { class: 'hex' });
  fact('Generation', info.generation, { class: 'hex' });
  for (const [name, value] of info.metadata) fact(name, value);
  return h('section', { class: 'card facts', 'aria-label': 'Manifest' },
    h('h2', {}, 'Manifest'), h('dl', {}, rows));
}

